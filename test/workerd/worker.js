/* A worker that uses memwire as a user's worker does. run.ts runs it and checks its answers. */
import { Memcached, SessionStore } from "../../dist/mod.js";

const SESSIONS = { ttl: 600, namespace: "workerd:" };

/** What each path does with a client. */
const PATHS = {
  async "/values"(client, params) {
    const value = "0123456789".repeat(Number(params.get("size")) / 10);
    const key = `workerd-${value.length}`;
    await client.set(key, value);
    return { same: await client.get(key) === value };
  },
  async "/many"(client) {
    const entries = Array.from(
      { length: 500 },
      (_, i) => [`workerd-many-${i}`, { i }],
    );
    await client.setMany(entries);
    const found = await client.getMany(entries.map(([key]) => key));
    return {
      found: found.size,
      right: entries.every(([key, { i }]) => found.get(key)?.i === i),
    };
  },
  async "/update"(client) {
    await client.set("workerd-count", { n: 0 });
    await client.update("workerd-count", ({ n }) => ({ n: n + 1 }));
    return await client.get("workerd-count");
  },
  async "/session"(client) {
    const store = new SessionStore({ client, ...SESSIONS });
    const session = await store.open(undefined);
    session.set("name", "Ada");
    const stored = await store.storeSession(session);
    const again = await store.open(session.id);
    return { stored, name: again.get("name") };
  },
  async "/silent"(client) {
    const start = Date.now();
    const { code } = await client.get("k", { timeout: 300 }).catch((error) => error);
    return { code, ms: Date.now() - start };
  },
};

/** A client at the top of the worker, so for all requests. No other request may use what the first one opened. */
let shared;

export default {
  async fetch(request, env) {
    const { pathname, searchParams } = new URL(request.url);
    const protocol = searchParams.get("protocol") ?? "auto";
    const server = pathname === "/silent" ? env.SILENT : env.SERVER;
    if (pathname === "/shared") {
      shared ??= new Memcached(server, { timeout: 500, connectTimeout: 500 });
      const error = await shared.set("workerd-shared", "v").catch((error) => error);
      return Response.json({ code: error?.code ?? "none" });
    }
    const client = new Memcached(server, {
      protocol,
      timeout: 10_000,
      connectTimeout: 10_000,
    });
    try {
      return Response.json(await PATHS[pathname](client, searchParams));
    } catch (error) {
      return Response.json({ error: `${error.stack}` }, { status: 500 });
    } finally {
      await client.close();
    }
  },
};
