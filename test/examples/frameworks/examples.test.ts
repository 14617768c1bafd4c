// Starts each example unchanged, as a process of its own, and sends it requests over HTTP.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import process from "node:process";
import { after, before, describe, test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Memcached } from "memwire";
import { runtimeArguments } from "../../support/child.ts";
import { freePort, type MemcachedServer, startMemcached } from "../../support/memcached.ts";

/** Starts an example, and resolves to its origin once it answers. */
async function start(t: TestContext, name: string, memcached: MemcachedServer): Promise<string> {
  const port = await freePort();
  const script = fileURLToPath(new URL(`./${name}.ts`, import.meta.url));
  const child = spawn(process.execPath, [...runtimeArguments(), script], {
    env: { ...process.env, PORT: String(port), MEMCACHED_SERVERS: memcached.address },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => output += text);
  let ended = false;
  const exited = once(child, "exit").then(() => ended = true);
  t.after(async () => {
    child.kill("SIGKILL");
    await exited;
  });
  const origin = `http://127.0.0.1:${port}`;
  for (let tries = 0; tries < 600; tries++) {
    if (ended) break;
    try {
      await (await fetch(`${origin}/nothing-here`)).text();
      return origin;
    } catch {
      await sleep(50);
    }
  }
  throw new Error(`${name} does not answer: ${output}`);
}

const cookieOf = (response: Response): string =>
  response.headers.getSetCookie().map((cookie) => cookie.split(";")[0]).join("; ");

const SESSIONS = [
  "express",
  "fastify",
  "nest",
  "hono",
  "koa",
  "koa_session",
  "react_router",
];

describe("examples", () => {
  let memcached: MemcachedServer;
  before(async () => memcached = await startMemcached());
  after(() => memcached.stop());

  test("rate_limit lets five of twenty pass, whichever server they ask", async (t) => {
    const origins = await Promise.all([
      start(t, "rate_limit", memcached),
      start(t, "rate_limit", memcached),
    ]);
    await using client = new Memcached(memcached.address);
    await client.flushAll(); // removes the requests that only checked whether the servers had started
    const statuses = await Promise.all(Array.from({ length: 20 }, async (_, i) => {
      const response = await fetch(origins[i % 2] as string);
      await response.text();
      return response.status;
    }));
    assert.equal(statuses.filter((status) => status === 200).length, 5);
    assert.equal(statuses.filter((status) => status === 429).length, 15);
  });

  test("better_auth keeps sessions in memcached, and limits requests exactly", async (t) => {
    const origin = await start(t, "better_auth", memcached);
    const post = (path: string, body: object, cookie = ""): Promise<Response> =>
      fetch(`${origin}/api/auth/${path}`, {
        method: "POST",
        headers: { "content-type": "application/json", cookie, origin },
        body: JSON.stringify(body),
      });
    const user = { name: "Ada", email: "ada@example.org", password: "a long password" };
    const { status, headers } = await post("sign-up/email", user);
    assert.equal(status, 200);
    const cookie = headers.getSetCookie().map((one) => one.split(";")[0]).join("; ");
    const session = async (): Promise<Response> =>
      await fetch(`${origin}/api/auth/get-session`, { headers: { cookie } });
    const { user: found } = await (await session()).json() as { user: typeof user };
    assert.equal(found.email, user.email);
    await using client = new Memcached(memcached.address);
    const keys: string[] = [];
    for await (const key of client.keys({ prefix: "better-auth:" })) keys.push(key);
    assert.ok(keys.some((key) => key.startsWith("better-auth:active-sessions-")));
    assert.equal((await post("sign-out", {}, cookie)).status, 200);
    assert.equal(await (await session()).json(), null);

    const statuses = await Promise.all(Array.from({ length: 40 }, async () => {
      const response = await fetch(`${origin}/api/auth/ok`);
      await response.text();
      return response.status;
    }));
    assert.equal(statuses.filter((one) => one === 200).length, 20);
    assert.equal(statuses.filter((one) => one === 429).length, 20);
  });

  for (const name of ["keyv", "cache_manager", "unstorage"]) {
    test(`${name} makes a page once, for two servers`, async (t) => {
      const origins = await Promise.all([start(t, name, memcached), start(t, name, memcached)]);
      const page = async (origin = "", path = ""): Promise<string> =>
        await (await fetch(`${origin}${path}`)).text();
      const made = await page(origins[0], "/a%20page?of=one");
      assert.match(made, /^made at/);
      for (const origin of origins) assert.equal(await page(origin, "/a%20page?of=one"), made);
      assert.notEqual(await page(origins[1], "/another"), made);
    });
  }

  for (const name of SESSIONS) {
    test(`${name} counts a visitor's visits`, async (t) => {
      const origin = await start(t, name, memcached);
      const first = await fetch(origin);
      assert.deepEqual([first.status, await first.text()], [200, "visit 1"]);
      const cookie = cookieOf(first);
      assert.notEqual(cookie, "");
      for (const visit of ["visit 2", "visit 3"]) {
        const next = await fetch(origin, { headers: { cookie } });
        assert.equal(await next.text(), visit);
      }
      assert.equal(await (await fetch(origin)).text(), "visit 1", "another visitor");
    });
  }
});

test("README's table has the lines of the examples", () => {
  const readme = readFileSync(new URL("../../../README.md", import.meta.url), "utf8");
  const [, section = ""] = /\n## Frameworks\n([^]*?)\n## /.exec(readme) ?? [];
  const rows = section.split("\n").filter((line) => line.includes("test/examples/frameworks/"));
  assert.ok(rows.length > 0);
  for (const row of rows) {
    const [, path = ""] = /\((test\/examples\/frameworks\/[^)]+)\)/.exec(row) ?? [];
    const example = readFileSync(new URL(`../../../${path}`, import.meta.url), "utf8");
    const lines = [...row.matchAll(/`([^`]+)`/g)].map(([, line = ""]) => line);
    assert.ok(lines.length >= 2, row);
    for (const line of lines) assert.ok(example.includes(line), `${path} has no ${line}`);
  }
});
