/**
 * A process that uses a client and comes to its end in one way or another: told which as an argument,
 * run by exit.test.ts. Its last line of output is what happened and when, as JSON.
 */
import process from "node:process";
import { Memcached, type MemcachedOptions } from "../../mod.ts";

const [mode, address = "", options = "{}"] = process.argv.slice(2);
const client = new Memcached(address, JSON.parse(options) as MemcachedOptions);

function say(what: unknown): void {
  process.stdout.write(`${JSON.stringify({ what, at: Date.now() })}\n`);
}

async function useIt(): Promise<void> {
  await client.set("k", "v");
  await client.setMany([["a", 1], ["b", 2]]);
  await Promise.all([client.get("k"), client.getMany(["a", "b"]), client.increment("a")]);
  await client.update<number>("b", (n) => (n ?? 0) + 1);
  await client.stats();
}

const MODES: Readonly<Record<string, () => Promise<unknown>>> = {
  /** Uses it and closes it. */
  close: async () => {
    await useIt();
    await client.close();
    return "closed";
  },
  /** Uses it and forgets it, with an idle connection. */
  forget: async () => {
    await useIt();
    return "forgotten";
  },
  /** Never uses it. */
  unused: () => Promise.resolve("unused"),
  /** Has one call that nobody answers. */
  pending: () => client.get("k").then(() => "answered", (error) => error.code),
  /** The same, and nobody waits for its outcome but the process. */
  "pending many": () => client.getMany(["a", "b"]).then(() => "answered", (e) => e.cause.code),
  /** An admin command that nobody answers. */
  "pending stats": () => client.stats().then(() => "answered", (error) => error.code),
  /** The function of an update takes its time, with nothing else to keep the process alive. */
  "pending update": () =>
    client.update("k", () => new Promise<never>(() => {})).then(() => "done", (e) => e.code),
  /** A server that is down is probed again and again. */
  down: () => client.get("k").then(() => "answered", (error) => error.code),
};

say(await (MODES[mode as string] as () => Promise<unknown>)());
