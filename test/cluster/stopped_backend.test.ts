/** A real nutcracker with one of its servers stopped: the keys of the others can still be read. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Memcached } from "../../mod.ts";
import { outcome } from "../faults/rig.ts";
import { atBest } from "../support/at_best.ts";
import { type MemcachedServer, startMany } from "../support/memcached.ts";
import { startNutcracker } from "../support/nutcracker.ts";
import { until } from "../support/until.ts";

async function stopAll(servers: readonly MemcachedServer[]): Promise<void> {
  await Promise.all(servers.map((server) => server.stop()));
}

/** Tells which server behind the proxy has a key. */
async function keysBehind(server: MemcachedServer, keys: readonly string[]): Promise<Set<string>> {
  const found = await Promise.all(keys.map((key) => server.ask(`get ${key}`)));
  return new Set(keys.filter((_, i) => found[i]?.startsWith("VALUE")));
}

describe("nutcracker with one of three servers behind it stopped", () => {
  for (const timeout of ["for ever", 400] as const) {
    test(`which waits for it ${timeout === "for ever" ? timeout : `${timeout} ms`}: 99 of 100 reads of the others succeed`, () =>
      atBest(async () => {
        const servers = await startMany(3);
        await using _ = { [Symbol.asyncDispose]: () => stopAll(servers) };
        await using proxy = await startNutcracker(servers, timeout);
        await using client = new Memcached(proxy.address, { timeout: 1_000 });
        const keys = Array.from({ length: 120 }, (_, i) => `key-${i}`);
        await client.setMany(keys.map((key) => [key, key]));
        for (const server of servers) {
          const dead = await keysBehind(server, keys);
          const live = keys.filter((key) => !dead.has(key));
          server.pause();
          let good = 0;
          const bad: string[] = [];
          const end = performance.now() + 1_000;
          const readers = [...Array(8).keys()].map(async (reader) => {
            // Two of eight readers ask the stopped server all the time.
            const own = reader < 2 ? [...dead] : live;
            for (
              let i = reader * 7;
              performance.now() < end || (good < 150 && bad.length < 50);
              i++
            ) {
              const key = own[i % own.length] as string;
              const { value, error } = await outcome(client.get(key));
              if (own !== live) assert.equal(value, undefined, "never another key's");
              else if (value === key) good++;
              else bad.push(`${error?.name} ${error?.message}`);
              await sleep(5);
            }
          });
          await Promise.all(readers);
          server.resume();
          assert.ok(
            good > 100 && bad.length <= good / 100,
            `${good} good, ${bad.length} bad: ${bad[0]}`,
          );
          await until(async () => (await outcome(client.getMany(keys))).error === undefined);
        }
      }));
  }
});
