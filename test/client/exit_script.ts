/**
 * A process that uses clients and ends in the way that its argument names. exit.test.ts runs it. Its last line
 * of output says as JSON what happened and when.
 */
import process from "node:process";
import { Memcached, type MemcachedOptions } from "../../mod.ts";

const [mode, ...targets] = process.argv.slice(2);
const clients = targets.map((target) => {
  const [address, options] = JSON.parse(target) as [string, MemcachedOptions];
  return new Memcached(address, options);
});

async function useIt(client: Memcached): Promise<void> {
  await client.set("k", "v");
  await client.setMany([["a", 1], ["b", 2]]);
  await Promise.all([client.get("k"), client.getMany(["a", "b"]), client.increment("a")]);
  await client.update<number>("b", (n) => (n ?? 0) + 1);
  await client.stats();
}

function codeOf(call: Promise<unknown>): Promise<unknown> {
  return call.then(() => "answered", ({ code, cause }) => code === "PARTIAL" ? cause.code : code);
}

const MODES: Readonly<Record<string, () => Promise<unknown>>> = {
  /** Uses them and closes them. */
  close: async () => {
    await Promise.all(clients.map(useIt));
    await Promise.all(clients.map((client) => client.close()));
    return "closed";
  },
  /** Uses them and forgets them, with idle connections. */
  forget: async () => {
    await Promise.all(clients.map(useIt));
    return "forgotten";
  },
  /** Nobody listens, so the client probes again and again; a second client is never used. */
  down: async () => {
    new Memcached("127.0.0.1:2");
    return await codeOf((clients[0] as Memcached).get("k"));
  },
  /** Makes calls that nobody answers, one at a time. Nothing else keeps the process alive. */
  pending: async () => {
    const [silent, mute, good] = clients as [Memcached, Memcached, Memcached];
    return [
      await codeOf(silent.get("k")),
      await codeOf(silent.getMany(["a", "b"])),
      await codeOf(silent.stats()),
      await codeOf(good.update("k", () => new Promise<never>(() => {}))),
      await codeOf(mute.get("k")),
    ].join(" ");
  },
};

const what = await (MODES[mode as string] as () => Promise<unknown>)();
process.stdout.write(`${JSON.stringify({ what, at: Date.now() })}\n`);
