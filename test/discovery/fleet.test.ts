// A fleet of four under load from two processes: a node is replaced, one is added, one removed, one dies.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { test, type TestContext } from "node:test";
import { MemcachedServer } from "../../src/testing/mod.ts";
import { runtimeArguments } from "../support/child.ts";
import { startDns } from "../support/dns_server.ts";
import { until } from "../support/until.ts";
import type { Report } from "./fleet_worker.ts";
import { announce, type FleetNode, replaceNode, startNode } from "./watching.ts";

const SCRIPT = new URL("./fleet_worker.ts", import.meta.url).pathname;
const SERVICE = "_memcache._tcp.cache.fleet";

/** A service that tells the processes which nodes there are. */
interface Way {
  readonly args: readonly string[];
  tell(nodes: readonly FleetNode[]): void;
  close(): Promise<void>;
}

async function byElastiCache(): Promise<Way> {
  const endpoint = await MemcachedServer.start();
  let version = 0;
  return {
    args: ["elasticache", endpoint.address, ""],
    tell: (nodes) => announce(endpoint, ++version, nodes),
    close: () => endpoint.stop(),
  };
}

async function bySrv(): Promise<Way> {
  const dns = await startDns();
  return {
    args: ["srv", dns.address, SERVICE],
    tell(nodes): void {
      for (const { host, ip } of nodes) dns.set(host, "A", [ip]);
      dns.set(SERVICE, "SRV", nodes.map(({ host, port }) => `${host} ${port}`));
    },
    close: () => dns.close(),
  };
}

/** One process under load. */
class Worker {
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  #errors = "";

  constructor(args: readonly string[]) {
    this.#process = spawn(process.execPath, [...runtimeArguments(), SCRIPT, ...args], {
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.#process.stderr!.setEncoding("utf8").on("data", (text: string) => this.#errors += text);
    this.#lines = createInterface({ input: this.#process.stdout! })[Symbol.asyncIterator]();
  }

  /** Returns what has happened since the last report. */
  async report(): Promise<Report> {
    this.#process.stdin!.write("\n");
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error(`a worker has ended: ${this.#errors}`);
    return JSON.parse(value) as Report;
  }

  async end(): Promise<void> {
    const ended = new Promise((resolve) => this.#process.once("close", resolve));
    this.#process.stdin!.end();
    await ended;
  }
}

/** The reports of all workers, after each has worked a little longer. */
async function afterMore(workers: readonly Worker[]): Promise<Report[]> {
  const sums = await Promise.all(workers.map(async (worker) => {
    const sum = { calls: 0, wrong: 0, failed: {} as Record<string, string> };
    for (let first = true;; first = false) {
      const { calls, wrong, failed, places } = await worker.report();
      // All calls of the first report may have been made before now.
      if (!first) sum.calls += calls;
      sum.wrong = wrong;
      Object.assign(sum.failed, failed);
      if (sum.calls > 1500) return { ...sum, places };
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }));
  for (const { wrong } of sums) assert.equal(wrong, 0, "a value that nobody has stored last");
  return sums;
}

/** The keys of all workers that have moved, with their old and new servers. */
function moved(before: readonly Report[], after: readonly Report[]): [string, string, string][] {
  return after.flatMap(({ places }, i) =>
    Object.entries(places)
      .map(([key, now]): [string, string, string] => [key, before[i]!.places[key]!, now])
      .filter(([, was, now]) => was !== now)
  );
}

/** Waits until all workers use the node. */
async function used({ server }: FleetNode): Promise<void> {
  await until(() =>
    ["a:", "b:"].every((name) => server.calls.some(({ key }) => key.startsWith(name)))
  );
}

function assertNoneFailed(reports: readonly Report[]): void {
  for (const { failed } of reports) assert.deepEqual(failed, {});
}

async function play(t: TestContext, way: Way): Promise<void> {
  const all: FleetNode[] = [];
  const start = async (node: Promise<FleetNode>): Promise<FleetNode> => {
    all.push(await node);
    return all.at(-1)!;
  };
  const names = [0, 1, 2, 3].map((i) => `node-${i}.fleet`);
  const nodes = await Promise.all(
    names.map((name, i) => start(startNode(name, `127.0.0.${i + 1}`))),
  );
  way.tell(nodes);
  const workers = ["a", "b"].map((name) => new Worker([...way.args, name]));
  t.after(async () => {
    await Promise.all(workers.map((worker) => worker.end()));
    await Promise.all(all.map(({ server }) => server.stop()));
    await way.close();
  });
  await Promise.all(nodes.map(used));
  let before = await afterMore(workers);
  assertNoneFailed(before);

  // Another machine takes over a name: it is announced first, and the old one stops once the new one is in use.
  const replaced = await start(replaceNode(nodes[1]!, "127.0.0.11"));
  way.tell(nodes.with(1, replaced));
  await used(replaced);
  // By then the calls in flight to the old machine have finished.
  assertNoneFailed(await afterMore(workers));
  await nodes[1]!.server.stop();
  let after = await afterMore(workers);
  assert.equal(moved(before, after).length, 0);
  assertNoneFailed(after);
  t.diagnostic(`replaced: 0 of 2000 keys moved, 0 calls failed`);

  // A node is added.
  before = after;
  const added = await start(startNode("node-4.fleet", "127.0.0.5"));
  way.tell([...nodes.with(1, replaced), added]);
  await used(added);
  await until(async () => moved(before, await afterMore(workers)).length > 200);
  after = await afterMore(workers);
  const toAdded = moved(before, after);
  assertNoneFailed(after);
  const share = toAdded.length / 2000;
  assert.ok(share > 0.1 && share < 0.3, `${share} of the keys moved to the fifth node`);
  assert.ok(toAdded.every(([, , now]) => now.startsWith("node-4.fleet")));
  t.diagnostic(`added: ${toAdded.length} of 2000 keys moved, 0 calls failed`);

  // A node is removed from the list, and stops when nobody uses it any more.
  before = after;
  way.tell([...nodes.with(1, replaced).slice(1), added]);
  await until(async () =>
    (await afterMore(workers)).every(({ places }) =>
      Object.values(places).every((id) => !id.startsWith("node-0.fleet"))
    )
  );
  assertNoneFailed(await afterMore(workers));
  await nodes[0]!.server.stop();
  after = await afterMore(workers);
  assertNoneFailed(after);
  const fromRemoved = moved(before, after);
  assert.ok(fromRemoved.every(([, was]) => was.startsWith("node-0.fleet")));
  t.diagnostic(`removed: ${fromRemoved.length} of 2000 keys moved, 0 calls failed`);

  // A node in the list dies: its keys fail, and no others do.
  before = after;
  await nodes[2]!.server.stop();
  after = await afterMore(workers);
  assert.equal(moved(before, after).length, 0);
  for (const { failed, places } of after) {
    const keys = Object.keys(failed);
    assert.ok(keys.length > 0);
    assert.ok(keys.every((key) => places[key]!.startsWith("node-2.fleet")), "another node's key");
  }
}

test("ElastiCache's protocol", { timeout: 110_000 }, async (t) => play(t, await byElastiCache()));

test("SRV records", { timeout: 110_000 }, async (t) => play(t, await bySrv()));
