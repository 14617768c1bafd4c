/**
 * Compares stores of express-session: memwire's on memcached with connect-redis on Redis, alone and behind Express
 * over HTTP. They take turns in short slices. Needs memcached and redis-server.
 *
 *     npm run bench:express [rounds]
 *
 * A visit that reads is a load and a touch, as express-session does for each request; one that changes is a load
 * and a save.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { Agent, get } from "node:http";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { freePort, startMemcached } from "../support/memcached.ts";
import { type OpenStore, session, type Store, STORES } from "./express_stores.ts";
import { sessionFields } from "./memwire.ts";

const ROUNDS = Number(process.argv[2] ?? 9);
const SLICE_MS = 400;
const IDS = Array.from({ length: 1000 }, (_, i) => `bench${String(i).padStart(27, "0")}`);
const IN_FLIGHT = 100;
const IN_FLIGHT_HTTP = 32;

type Visit = (i: number) => Promise<unknown>;

async function slice(visit: Visit, inFlight: number): Promise<number> {
  const begun = performance.now();
  let done = 0;
  const worker = async (start: number): Promise<void> => {
    for (let i = start; performance.now() - begun < SLICE_MS; i += inFlight) {
      await visit(i);
      done++;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, (_, i) => worker(i)));
  return done / (performance.now() - begun) * 1000;
}

/** The median of each one's visits a second. */
async function race(visits: Record<string, Visit>, inFlight: number): Promise<number[]> {
  const speeds: number[][] = Object.keys(visits).map(() => []);
  for (let round = -1; round < ROUNDS; round++) { // the first one warms up
    for (const [i, visit] of Object.values(visits).entries()) {
      const speed = await slice(visit, inFlight);
      if (round >= 0) speeds[i]?.push(speed);
    }
  }
  return speeds.map((all) => all.sort((a, b) => a - b)[all.length >> 1] as number);
}

function report(what: string, speeds: readonly number[]): void {
  const [ours = 0, ...others] = speeds.map(Math.round);
  const ratios = others.map((other) => `${other}, so ${(ours / other).toFixed(2)} times`);
  console.log(`${what}: memwire ${ours} a second; ${
    Object.keys(STORES).slice(1)
      .map((name, i) => `${name} ${ratios[i]}`).join("; ")
  }`);
}

/** One visit as express-session makes it, without Express. */
function visitOf(store: Store, change: boolean): Visit {
  return (i) => {
    const id = IDS[i * 7 % IDS.length] as string;
    return new Promise<void>((resolve, reject) => {
      const done = (error?: unknown): void => error ? reject(error) : resolve();
      store.get(id, (error, data) => {
        if (error || !data) return done(error ?? new Error("no session"));
        const loaded = store.createSession({ sessionID: id }, data) as { visits?: number };
        if (!change) return store.touch(id, loaded, done);
        loaded.visits = i;
        store.set(id, loaded, done);
      });
    });
  };
}

async function storesAlone(memcached: string, redis: string): Promise<void> {
  const opened = new Map<string, OpenStore>();
  const cookie = { originalMaxAge: null, expires: null, httpOnly: true, path: "/" };
  for (const [name, open] of Object.entries(STORES)) {
    const one = await open(memcached, redis);
    opened.set(name, one);
    await Promise.all(IDS.map((id, i) =>
      new Promise<void>((resolve, reject) => {
        one.store.set(id, { cookie, ...sessionFields(i) }, (error) =>
          error ? reject(error) : resolve());
      })
    ));
  }
  for (const change of [false, true]) {
    const visits = Array.from(
      opened,
      ([name, { store }]) => [name, visitOf(store, change)] as const,
    );
    const what = change ? "store alone, load and save" : "store alone, load and touch";
    report(what, await race(Object.fromEntries(visits), IN_FLIGHT));
  }
  for (const { close } of opened.values()) await close();
}

async function overHttp(memcached: string, redis: string): Promise<void> {
  const children: ChildProcess[] = [];
  const agent = new Agent({ keepAlive: true, maxSockets: IN_FLIGHT_HTTP });
  const script = fileURLToPath(new URL("./express_server.ts", import.meta.url));
  const visits: Record<string, Record<string, Visit>> = { "/": {}, "/change": {} };
  for (const name of Object.keys(STORES)) {
    const child = spawn(process.execPath, ["--import", "tsx", script, name, memcached, redis], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, NODE_ENV: "production" },
    });
    children.push(child);
    const [port] = await once(createInterface(child.stdout), "line") as [string];
    const ask = (path: string, cookie: string): Promise<string> =>
      new Promise((resolve, reject) => {
        get({ host: "127.0.0.1", port, path, agent, headers: { cookie } }, (response) => {
          const [setCookie = ""] = response.headers["set-cookie"] ?? [];
          if (response.statusCode !== 200) reject(new Error(`${response.statusCode}`));
          response.resume().on("end", () => resolve(setCookie.split(";")[0] as string));
        }).on("error", reject);
      });
    const cookies = await Promise.all(Array.from({ length: 200 }, () => ask("/change", "")));
    for (const [path, all] of Object.entries(visits)) {
      all[name] = (i) => ask(path, cookies[i * 7 % cookies.length] as string);
    }
  }
  report("over HTTP, read", await race(visits["/"] as Record<string, Visit>, IN_FLIGHT_HTTP));
  report(
    "over HTTP, change",
    await race(visits["/change"] as Record<string, Visit>, IN_FLIGHT_HTTP),
  );
  agent.destroy();
  for (const child of children) child.kill("SIGKILL");
}

const memcached = await startMemcached();
const redisPort = await freePort();
const redis = spawn("redis-server", [
  ...["--port", String(redisPort), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
], { stdio: ["ignore", "pipe", "inherit"] });
for await (const line of createInterface(redis.stdout)) {
  if (/Ready to accept/.test(line)) break;
}
redis.stdout.resume();
if (typeof session !== "function") throw new Error("express-session is missing: npm run prebench");
try {
  await storesAlone(memcached.address, `127.0.0.1:${redisPort}`);
  await overHttp(memcached.address, `127.0.0.1:${redisPort}`);
} finally {
  redis.kill("SIGKILL");
  await memcached.stop();
}
