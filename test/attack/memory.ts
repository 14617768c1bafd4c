/**
 * Attacks an embedded server for some seconds with everything that could make it keep too much. It fails if the
 * server ever keeps more than twice its limit, or blocks its event loop for more than 50 ms:
 *
 *     node --import tsx test/attack/memory.ts [SECONDS] [LIMIT IN MB] [ATTACK...]
 *
 * It needs Linux and Node. It counts the time that the server's own thread computes, so that a busy machine does
 * not matter, and collects garbage before it counts memory, so that only memory in use counts.
 */
import { spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { ATTACKS } from "./attacks.ts";

const MEGABYTE = 1024 * 1024;
const MOST_HELD = 50;

const [seconds = "20", megabytes = "64", ...chosen] = process.argv.slice(2);
const limit = Number(megabytes) * MEGABYTE;
const names = chosen.length > 0 ? chosen : Object.keys(ATTACKS);

const victim = spawn(process.execPath, [
  "--expose-gc",
  "--max-old-space-size=1024",
  ...process.execArgv,
  fileURLToPath(new URL("victim.ts", import.meta.url)),
  String(limit),
], { stdio: ["ignore", "pipe", "inherit"] });
process.on("exit", () => victim.kill("SIGKILL"));
victim.on("exit", (code, signal) => {
  console.error(`The server's process ended: ${signal ?? code}.`);
  process.exit(1);
});

interface Seen {
  used: number;
  held: number;
  waited: number;
  rss: number;
}

const lines = createInterface({ input: victim.stdout })[Symbol.asyncIterator]();
const { address } = JSON.parse((await lines.next()).value as string) as { address: string };
const port = Number(address.split(":")[1]);
const seen = new Map<string, Seen>();
let running = "";

/** Notes the worst figures that the victim reports under each attack. */
async function watch(): Promise<void> {
  for (;;) {
    const { value, done } = await lines.next();
    if (done) return;
    const now = JSON.parse(value as string) as Seen;
    const before = seen.get(running) ?? now;
    seen.set(running, {
      used: Math.max(now.used, before.used),
      held: Math.max(now.held, before.held),
      waited: Math.max(now.waited, before.waited),
      rss: Math.max(now.rss, before.rss),
    });
  }
}
void watch();

/** The highest value of a figure, and under which attack it was. */
function worst(name: keyof Seen): { value: number; attack: string } {
  const all = [...seen].map(([attack, { [name]: value }]) => ({ value, attack }));
  return all.reduce((one, other) => other.value > one.value ? other : one);
}

// Each attack runs by itself, beside one that keeps the memory full; then all run together.
const share = Number(seconds) * 1000 / (names.length + 5);
async function attack(some: readonly string[], ms: number): Promise<void> {
  running = some.length === names.length ? "all" : some.join(" + ");
  const end = performance.now() + ms;
  const target = { port, over: (): boolean => performance.now() >= end };
  await Promise.all(some.map((name) => ATTACKS[name]!(target)));
}
for (const name of names) await attack([...new Set(["items of one byte", name])], share);
await attack(names, 5 * share);
running = "the end";
await sleep(1500);

const inMegabytes = (bytes: number): string => `${(bytes / MEGABYTE).toFixed(1)} MB`;
const [used, held, waited, rss] = [worst("used"), worst("held"), worst("waited"), worst("rss")];
console.log(
  `In use at most ${inMegabytes(used.value)} of twice ${megabytes} MB (${used.attack}); ` +
    `the process took ${inMegabytes(rss.value)}.\n` +
    `Did nothing else for ${held.value.toFixed(0)} ms of its own time (${held.attack}), ` +
    `${waited.value.toFixed(0)} ms by the clock.`,
);
const failed = used.value > 2 * limit || held.value > MOST_HELD || used.value <= 0;
if (failed) {
  console.table(Object.fromEntries(seen));
  console.error("That is more than it may be.");
}
process.exit(failed ? 1 : 0);
