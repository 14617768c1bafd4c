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

/** One that takes part: its visits, and the CPU time in us that its process has used so far. */
interface Runner {
  readonly visit: Visit;
  readonly cpu: () => number | Promise<number>;
}

interface Speed {
  /** Visits a second, the median of the slices. */
  readonly speed: number;
  /** CPU time of a visit in us, in all slices. On a busy machine this is what can be compared. */
  readonly cpu: number;
}

async function slice(visit: Visit, inFlight: number): Promise<{ done: number; seconds: number }> {
  const begun = performance.now();
  let done = 0;
  const worker = async (start: number): Promise<void> => {
    for (let i = start; performance.now() - begun < SLICE_MS; i += inFlight) {
      await visit(i);
      done++;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, (_, i) => worker(i)));
  return { done, seconds: (performance.now() - begun) / 1000 };
}

async function race(runners: readonly Runner[], inFlight: number): Promise<Speed[]> {
  const all = runners.map(() => ({ speeds: [] as number[], cpu: 0, visits: 0 }));
  for (let round = -2; round < ROUNDS; round++) { // the first ones warm up
    for (const [i, { visit, cpu }] of runners.entries()) {
      const before = await cpu();
      const { done, seconds } = await slice(visit, inFlight);
      const used = await cpu() - before;
      const sums = all[i];
      if (round < 0 || sums === undefined) continue;
      sums.speeds.push(done / seconds);
      sums.cpu += used;
      sums.visits += done;
    }
  }
  return all.map(({ speeds, cpu, visits }) => ({
    speed: speeds.sort((a, b) => a - b)[speeds.length >> 1] as number,
    cpu: cpu / visits,
  }));
}

function report(what: string, speeds: readonly Speed[]): void {
  console.log(what);
  const [ours] = speeds;
  for (const [i, name] of Object.keys(STORES).entries()) {
    const { speed, cpu } = speeds[i] as Speed;
    const ratios = `memwire ${((ours?.speed ?? 0) / speed).toFixed(2)} times as many, ` +
      `with ${((ours?.cpu ?? 0) / cpu).toFixed(2)} of the CPU`;
    const line = `  ${name}: ${Math.round(speed)} a second, ${cpu.toFixed(1)} us of CPU`;
    console.log(i === 0 ? line : `${line}; ${ratios}`);
  }
}

function ownCpu(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
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
    const runners = Array.from(opened.values(), ({ store }) => ({
      visit: visitOf(store, change),
      cpu: ownCpu,
    }));
    const what = change ? "store alone, load and save" : "store alone, load and touch";
    report(what, await race(runners, IN_FLIGHT));
  }
  for (const { close } of opened.values()) await close();
}

async function overHttp(memcached: string, redis: string): Promise<void> {
  const children: ChildProcess[] = [];
  const agent = new Agent({ keepAlive: true, maxSockets: IN_FLIGHT_HTTP });
  const script = fileURLToPath(new URL("./express_server.ts", import.meta.url));
  const runners: Record<string, Runner[]> = { "/": [], "/change": [] };
  for (const name of Object.keys(STORES)) {
    const child = spawn(process.execPath, ["--import", "tsx", script, name, memcached, redis], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, NODE_ENV: "production" },
    });
    children.push(child);
    const [port] = await once(createInterface(child.stdout), "line") as [string];
    const ask = (path: string, cookie: string): Promise<{ text: string; cookie: string }> =>
      new Promise((resolve, reject) => {
        get({ host: "127.0.0.1", port, path, agent, headers: { cookie } }, (response) => {
          const [setCookie = ""] = response.headers["set-cookie"] ?? [];
          let text = "";
          if (response.statusCode !== 200) reject(new Error(`${response.statusCode}`));
          response.on("data", (chunk) => text += chunk)
            .on("end", () => resolve({ text, cookie: setCookie.split(";")[0] as string }));
        }).on("error", reject);
      });
    const visitors = await Promise.all(Array.from({ length: 200 }, () => ask("/change", "")));
    const cpu = async (): Promise<number> => Number((await ask("/cpu", "")).text);
    for (const [path, all] of Object.entries(runners)) {
      const visit: Visit = (i) => ask(path, visitors[i * 7 % visitors.length]?.cookie ?? "");
      all.push({ visit, cpu });
    }
  }
  report("over HTTP, a visit that reads", await race(runners["/"] ?? [], IN_FLIGHT_HTTP));
  report("over HTTP, a visit that changes", await race(runners["/change"] ?? [], IN_FLIGHT_HTTP));
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
