/** A process of fetch_locks.ts. It takes locks, and reports when it holds one. */
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { Memcached } from "../../mod.ts";

const [address = "", protocol = "meta", contenders = "1", rounds = "1"] = process.argv.slice(2);
const client = new Memcached(address, { protocol: protocol as "meta" | "classic", timeout: 5_000 });
const say = (what: object): void => void process.send?.(what);

// In the order of the questions, because the parent answers one message after the other.
const waiting: (() => void)[] = [];

/** Tells the parent, and resolves when the parent knows, so before anybody else can act on it. */
function tell(what: object): Promise<void> {
  return new Promise((resolve) => {
    waiting.push(resolve);
    say(what);
  });
}

if (rounds === "stopped") {
  // This process is stopped while it holds the lock, and continued when another one has taken it.
  const lock = await client.lock("stopped", { ttl: 2 });
  say({ held: lock !== undefined });
  await new Promise((resolve) => process.once("message", resolve));
  say({
    extended: await lock?.extend(),
    released: await lock?.release(),
    warned: lock?.signal.aborted,
  });
} else {
  process.on("message", () => waiting.shift()?.());
  const contend = async (): Promise<void> => {
    for (let i = 0; i < Number(rounds); i++) {
      const lock = await client.lock("shared", { ttl: 20, wait: 60_000 });
      if (lock === undefined) {
        say({ refused: true });
        continue;
      }
      await tell({ in: String(lock.token) });
      await sleep(2);
      await tell({ out: String(lock.token) });
      if (!await lock.release()) say({ lost: true });
    }
  };
  await Promise.all(Array.from({ length: Number(contenders) }, contend));
}
await client.close();
process.disconnect?.();
