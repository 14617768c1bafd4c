/**
 * A long test of `fetch`: many processes fetch, winners are killed or stopped, the server restarts, and other
 * clients change, mark and claim the same keys.
 *
 *     npm run chaos -- --fetch                  each part: 20 s of meta, classic, mixed and a hot key, locks
 *     npm run chaos -- --fetch --seconds 4      shorter, as CI does
 *     npm run chaos -- --fetch --only mixed     one of: meta, classic, mixed, hot, lock
 *
 * It fails if a value was stored that was older than the last acknowledged delete, invalidate or set; if two
 * loads of a key overlapped before the lease was over; if a dead winner cost others more than the lease and a
 * second; if a fetch rejected for another reason than its source; if an expiry of a hot key led to more than one
 * load; or if two held a lock, or a holder that was stopped past its ttl could extend or release it.
 */
import { type ChildProcess, fork } from "node:child_process";
import { connect } from "node:net";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type FetchOptions, Memcached } from "../../mod.ts";
import { type MemcachedServer, startMemcached } from "../support/memcached.ts";
import { hot } from "./fetch_hot.ts";
import type { Done, Job, Protocol, Question, Reply } from "./fetch_messages.ts";
import { locks } from "./fetch_locks.ts";
import { Source, type Tally } from "./fetch_source.ts";

const LEASE = 2;
const LOAD_MS = 60;
const KEYS = ["k0", "k1", "k2", "k3", "k4", "k5"];

const MIXES: Readonly<Record<string, readonly Protocol[]>> = {
  meta: ["meta", "meta", "meta", "meta"],
  classic: ["classic", "classic", "classic", "classic"],
  mixed: ["meta", "classic", "meta", "classic"],
};

interface Worker {
  readonly process: ChildProcess;
  /** When it was last stopped or continued. */
  stoppedAt: number;
}

/** Runs one storm. */
class Storm {
  readonly source = new Source(LEASE, LOAD_MS, 0.05);
  readonly #protocols: readonly Protocol[];
  readonly #options: FetchOptions;
  readonly #server: MemcachedServer;
  readonly #workers = new Set<Worker>();
  #ending = false;

  constructor(protocols: readonly Protocol[], options: FetchOptions, server: MemcachedServer) {
    this.#protocols = protocols;
    this.#options = options;
    this.#server = server;
  }

  async run(seconds: number): Promise<Tally> {
    for (const protocol of this.#protocols) this.#start(protocol);
    await sleep(500);
    const end = performance.now() + seconds * 1000;
    const writers = this.#protocols.slice(0, 3).map((protocol) => this.#write(protocol, end));
    await Promise.all([...writers, this.#look(end), this.#harm(end)]);
    this.#ending = true;
    const gone = [...this.#workers].map((worker) => this.#end(worker));
    await Promise.all(gone);
    return this.source.close();
  }

  #start(protocol: Protocol): void {
    const job: Job = {
      address: this.#server.address,
      protocol,
      keys: KEYS,
      users: 4,
      thinkMs: 3,
      options: this.#options,
    };
    const file = fileURLToPath(new URL("fetch_worker.ts", import.meta.url));
    const child = fork(file, [JSON.stringify(job)]);
    const worker: Worker = { process: child, stoppedAt: -Infinity };
    this.#workers.add(worker);
    child.on("message", (message) => this.#hear(worker, message as Question & { id: number }));
    child.on("exit", () => {
      this.#workers.delete(worker);
      this.source.died(child);
      if (!this.#ending) this.#start(protocol);
    });
  }

  #hear(worker: Worker, question: Question & { id: number }): void {
    if (question.ask === "done") return this.#done(worker, question.done);
    const child = worker.process;
    if (child.connected) child.send({ id: question.id, ...this.#answer(question, child) });
  }

  #answer(question: Exclude<Question, { ask: "done" }>, worker: ChildProcess): Omit<Reply, "id"> {
    const { source } = this;
    switch (question.ask) {
      case "floor":
        return { floor: source.floor(question.key), hard: source.hard(question.key) };
      case "begin":
        return source.begin(question.key, question.askedAt, worker);
      case "end":
        source.end(question.load);
        return {};
    }
  }

  #done({ stoppedAt }: Worker, done: Done): void {
    this.source.done(done, performance.now() - done.ms - 500 < stoppedAt);
  }

  /** Changes keys, and acts as other clients do. */
  async #write(protocol: Protocol, end: number): Promise<void> {
    const client = new Memcached(this.#server.address, { protocol, timeout: 2_000 });
    const ways: readonly ((key: string) => Promise<void>)[] = [
      (key) => this.source.change(key, () => client.delete(key).then(() => "gone")),
      (key) => this.source.change(key, () => client.invalidate(key).then(() => "gone")),
      (key) =>
        this.source.change(
          key,
          (v) => client.set(key, `${key}:${v}`, { ttl: 60 }).then(() => "gone"),
        ),
      (key) =>
        this.source.change(key, () => client.invalidate(key, { stale: 5 }).then(() => "old")),
      (key) => this.source.change(key, () => this.#say(`md ${key} I T5`).then(() => "old")),
      (key) => this.source.change(key, () => this.#say(`mg ${key} v f c N2`).then(() => "nothing")),
    ];
    while (performance.now() < end) {
      await sleep(Math.random() * 50);
      const way = ways[Math.floor(Math.random() * ways.length)] as (key: string) => Promise<void>;
      await way(KEYS[Math.floor(Math.random() * KEYS.length)] as string);
    }
    await client.close();
  }

  /** Sends a line as another client that speaks meta. */
  #say(line: string): Promise<string> {
    const socket = connect(this.#server.port, this.#server.host);
    return new Promise<string>((resolve, reject) => {
      socket.setEncoding("latin1").once("data", resolve).once("error", reject);
      socket.once("close", () => reject(new Error("closed")));
      socket.setTimeout(2_000, () => socket.destroy());
      socket.write(`${line}\r\n`);
    }).finally(() => socket.destroy());
  }

  /** Reads what is stored, in classic, because that takes no win. */
  async #look(end: number): Promise<void> {
    const client = new Memcached(this.#server.address, { protocol: "classic", timeout: 2_000 });
    while (performance.now() < end) {
      await Promise.all(KEYS.map(async (key) => {
        const hard = this.source.hard(key);
        this.source.look(key, await client.get(key).catch(() => undefined), hard);
      }));
      await sleep(1);
    }
    await client.close();
  }

  /** Kills and stops winners, and restarts the server. */
  async #harm(end: number): Promise<void> {
    const { source } = this;
    const begun = performance.now();
    let restarted = begun;
    while (performance.now() < end) {
      await sleep(100);
      const loads = [...source.active.values()];
      const load = loads[Math.floor(Math.random() * loads.length)];
      const worker = [...this.#workers].find(({ process }) => process === load?.worker);
      const chance = Math.random();
      if (worker !== undefined && chance < 0.4) {
        source.tally.kills++;
        source.died(worker.process);
        worker.process.kill("SIGKILL");
      } else if (
        worker !== undefined && chance < 0.5 && worker.stoppedAt < performance.now() - 5_000
      ) {
        this.#stop(worker);
      } else if (performance.now() - restarted > 3_000 && chance > 0.95) {
        source.tally.restarts++;
        source.outage();
        await this.#server.restart();
        restarted = performance.now();
        source.outage();
      }
    }
  }

  #stop(worker: Worker): void {
    this.source.tally.stops++;
    this.source.died(worker.process);
    const ms = LEASE * 1000 + 2_500;
    worker.stoppedAt = performance.now() + ms;
    worker.process.kill("SIGSTOP");
    setTimeout(() => worker.process.kill("SIGCONT"), ms);
  }

  async #end({ process: child, stoppedAt }: Worker): Promise<void> {
    // One that was killed a moment ago can exit during the pause.
    const gone = new Promise((resolve) => child.once("exit", resolve));
    await sleep(Math.max(0, stoppedAt - performance.now() + 100));
    if (child.exitCode !== null || child.signalCode !== null) return;
    if (child.connected) child.send("end");
    const timer = setTimeout(() => child.kill("SIGKILL"), LEASE * 1000 + 8_000);
    await gone;
    clearTimeout(timer);
  }
}

const { values } = parseArgs({
  options: {
    fetch: { type: "boolean" },
    seconds: { type: "string", default: "20" },
    only: { type: "string", default: "" },
  },
});
const seconds = Number(values.seconds);
let failed = false;

function report(name: string, tally: { readonly violations: readonly string[] }): void {
  console.log(`${name}: ${JSON.stringify(tally)}`);
  failed ||= tally.violations.length > 0;
}

for (const [name, protocols] of Object.entries(MIXES)) {
  if (values.only !== "" && values.only !== name) continue;
  const server = await startMemcached();
  const options = { ttl: 60, lease: LEASE, missTtl: 5, ...(name === "meta" ? { stale: 10 } : {}) };
  report(name, await new Storm(protocols, options, server).run(seconds));
  await server.stop();
}
if (values.only === "" || values.only === "hot") report("hot", await hot(seconds));
if (values.only === "" || values.only === "lock") report("lock", await locks());
console.log(failed ? "FAILED" : "all well");
process.exit(failed ? 1 : 0);
