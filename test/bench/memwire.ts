/** memwire as it is shipped, with deadlines, key checks, bounds, hashing and diagnostics. */
import { Memcached, SessionStore } from "../../mod.ts";
import { withSession } from "../../src/adapters/web.ts";
import { besideLoop, closedLoop, type Contender } from "./contender.ts";
import { keysOf, LARGE_BYTES, largeKeysOf, manyKeysOf } from "./workloads.ts";

/** The client and the session store. */
export const memwire: Contender = async (workload, place) => {
  const { kind, inFlight, size } = workload;
  const servers = place.memcached.slice(0, workload.servers ?? 1);
  const protocol = workload.dialect ?? "meta";
  if (kind === "session") return await session(servers, inFlight);
  if (kind === "withSession") return await web(servers, inFlight);
  const keys = keysOf(workload);
  const client = new Memcached(servers, { protocol });
  const text = "x".repeat(size);
  const value = workload.value === "text" ? text : new TextEncoder().encode(text);
  await client.setMany(keys.map((key) => [key, value] as const));
  const close = (): Promise<void> => client.close();
  const key = (i: number): string => keys[i % keys.length] as string;
  if (kind === "beside") {
    const large = largeKeysOf(workload);
    const bytes = new Uint8Array(LARGE_BYTES).fill(120);
    for (const one of large) await client.set(one, bytes);
    const get = (i: number): Promise<unknown> => client.get(large[i % large.length]!);
    return besideLoop(inFlight, (i) => client.get(key(i)), get, close);
  }
  if (kind === "set") {
    return closedLoop(inFlight, (i) => client.set(key(i), value), close);
  }
  if (kind === "get") {
    return closedLoop(inFlight, (i) => client.get(key(i)), close);
  }
  if (kind === "fetch") {
    const load = (): never => {
      throw new Error("not a hit");
    };
    return closedLoop(inFlight, (i) => client.fetch(key(i), load, { ttl: 60 }), close);
  }
  const many = manyKeysOf(workload);
  return closedLoop(inFlight, () => client.getMany(many), close);
};

async function session(
  servers: readonly string[],
  inFlight: number,
): ReturnType<Contender> {
  const { store, ids } = await fill(servers);
  const cycle = async (i: number): Promise<void> => {
    const session = await store.open(ids[i % ids.length]);
    session.set("visits", i);
    await store.storeSession(session);
  };
  return closedLoop(inFlight, cycle, () => store.close());
}

/** Does the same by `withSession`, with the request and the response that a server would have. */
async function web(
  servers: readonly string[],
  inFlight: number,
): ReturnType<Contender> {
  const { store, ids } = await fill(servers);
  const visit = withSession(store, (_request, session) => {
    session.update("visits", (visits = 0) => visits as number + 1);
    return new Response("ok");
  });
  const cycle = async (i: number): Promise<void> => {
    const headers = { cookie: `__Host-session=${ids[i % ids.length]}` };
    const { status } = await visit(new Request("https://example.org/", { headers }));
    if (status !== 200) throw new Error(`status ${status}`);
  };
  return closedLoop(inFlight, cycle, () => store.close());
}

async function fill(
  servers: readonly string[],
): Promise<{ store: SessionStore; ids: readonly string[] }> {
  const store = new SessionStore({ servers, protocol: "meta" });
  const ids: string[] = [];
  for (let i = 0; i < 1000; i++) {
    const session = await store.open();
    for (const [name, value] of Object.entries(sessionFields(i))) {
      session.set(name, value);
    }
    await store.storeSession(session);
    ids.push(session.id);
  }
  return { store, ids };
}

/** About 300 bytes of typical shop data. */
export function sessionFields(i: number): Record<string, unknown> {
  return {
    user: {
      id: 10_000 + i,
      name: `Visitor number ${i}`,
      email: `visitor${i}@example.org`,
    },
    roles: ["customer", "beta"],
    cart: [{ sku: "TEA-100", count: 2 }, { sku: "POT-7", count: 1 }],
    csrf: "k3J9sQ0vXwZ1bN5mC7aD2eF4gH6iL8oP",
    locale: "en-GB",
    visits: 0,
    lastSeen: 1_790_000_000_000 + i,
  };
}
