/** `stats`: its fields and what they count, compared with memcached's. */
import assert from "node:assert/strict";
import process from "node:process";
import { describe, it, type TestContext } from "node:test";
import { MemcachedServer } from "../../src/testing/mod.ts";
import { startMemcached } from "../support/memcached.ts";
import { installedVersion, REFERENCE_VERSION } from "./recording.ts";
import { Control, play } from "./support.ts";

/** Requests that change each counter. */
const TRAFFIC = [
  "get a b|set a 0 0 1|1|cas a 0 0 1 1|1|ms s 1|x|ms s 1 C1 I|y|set b 0 0 3|xyz|add a 0 0 1|x|replace q 0 0 1|x|append b 0 0 1|x",
  "get a b|gets a b q|gat 10 a q|touch a 0|touch a 0|touch q 0",
  "incr a 1|incr q 1|incr b 1|decr a 1|decr q 1",
  "delete q|delete b|delete b",
  "cas a 0 0 1 999|x|cas q 0 0 1 1|x|set c 0 0 1|1|ms c 1 c|2|set e 0 -1 1|x|get e|gat -1 c|get c",
  "mg a v|mg q|mg a T0|mg a t|ma a|ma a MD|ma q|md a C9999|md q|md a|me a|me q|ms f 1|x|mg f",
  "set z 0 0 2000000|" + "x".repeat(2_000_000),
  "ms z 2000000|" + "x".repeat(2_000_000),
  "set g 0 0 3|abcdef|mg g N10",
  "get f|flush_all|get f|flush_all x|flush_all noreply",
  "set h 0 0 1|1|mg h|mg h|set i 0 0 200|" + "i".repeat(200),
];

/** Fields that both count in the same way. bytes_read and times are not, because the test itself asks. */
const COUNTED = [
  ..."cmd_get cmd_set cmd_flush cmd_touch cmd_meta get_hits get_misses get_expired".split(" "),
  ..."get_flushed delete_misses delete_hits incr_misses incr_hits decr_misses".split(" "),
  ..."decr_hits cas_misses cas_hits cas_badval touch_hits touch_misses".split(" "),
  ..."store_too_large store_no_memory total_items evictions limit_maxbytes".split(" "),
];

interface Both {
  readonly embedded: Control;
  readonly real: Control;
  play(line: string): Promise<void>;
}

async function startBoth(t: TestContext, args: readonly string[] = []): Promise<Both> {
  const server = await MemcachedServer.start();
  const memcached = await startMemcached({ args: [...args] });
  const embedded = await Control.open(server.address);
  const real = await Control.open(memcached.address);
  t.after(async () => {
    embedded.close();
    real.close();
    await Promise.all([server.stop(), memcached.stop()]);
  });
  return {
    embedded,
    real,
    async play(line): Promise<void> {
      await play(server.address, line);
      await play(memcached.address, line);
    },
  };
}

/** Returns the names that are in the list, in the list's order. */
function inOrder(names: Iterable<string>, list: Iterable<string>): string[] {
  const chosen = new Set(names);
  return [...list].filter((name) => chosen.has(name));
}

// Another version counts and names some things differently.
const reference = await installedVersion() === REFERENCE_VERSION;

if (reference) {
  describe("stats beside memcached 1.6.18", besideMemcached);
}

function besideMemcached(): void {
  it("counts as memcached does", async (t) => {
    // An item that another thread holds (a worker that has just sent it, the one that keeps the LRU) is
    // counted up as a new one (do_add_delta), and by chance total_items would be higher.
    const alone = ["-t", "1", "-o", "no_lru_maintainer"];
    const { embedded, real, play } = await startBoth(t, alone);
    for (const line of TRAFFIC) {
      await play(line);
      const [ours, theirs] = [await embedded.stats(), await real.stats()];
      const pick = (stats: Map<string, string>): string[] => {
        return COUNTED.map((name) => `${name} ${stats.get(name)}`);
      };
      assert.deepEqual(pick(ours), pick(theirs), `after ${line.slice(0, 100)}`);
    }
    for (const name of COUNTED) {
      const count = (await embedded.stats()).get(name);
      const never = name === "store_no_memory" || name === "evictions";
      assert.equal(count === "0", never, `${name} is ${count}: the traffic leaves it untried`);
    }
  });

  it("has memcached's names in memcached's order", async (t) => {
    const { embedded, real, play } = await startBoth(t);
    await play("set a 0 0 1|x|set b 0 0 5000|" + "x".repeat(5000));
    for (const topic of ["", "settings", "items"]) {
      const ours = [...(await embedded.stats(topic)).keys()];
      const theirs = (await real.stats(topic)).keys();
      assert.ok(ours.length > 20, topic);
      assert.deepEqual(ours, inOrder(ours, theirs), topic);
    }
  });

  it("shows memcached's own settings, except those about its insides", async (t) => {
    const { embedded, real } = await startBoth(t);
    await embedded.ask("verbosity 5");
    await real.ask("verbosity 5");
    const ours = await embedded.stats("settings");
    const theirs = await real.stats("settings");
    for (const own of ["tcpport", "num_threads", "binding_protocol"]) {
      ours.delete(own);
      theirs.delete(own);
    }
    for (const [name, value] of ours) assert.equal(value, theirs.get(name), name);
  });

  it("groups items by slab class, with their number and size", async (t) => {
    const { embedded, real, play } = await startBoth(t);
    await play("set a 0 0 1|x|set b 0 0 2|xy|set c 0 0 5000|" + "x".repeat(5000));
    const [ours, theirs] = [await embedded.stats("items"), await real.stats("items")];
    for (const [name, value] of ours) {
      if (!name.endsWith(":age")) assert.equal(value, theirs.get(name), name);
    }
    assert.equal(ours.get("items:1:number"), "2");
    assert.ok(Number(ours.get("items:1:age")) <= 1);
  });

  it("reset sets the counters to 0 and keeps the items", async (t) => {
    const { embedded, real, play } = await startBoth(t);
    await play("set a 0 0 1|x|get a|get b");
    assert.equal(await embedded.ask("stats reset"), "RESET\r\n");
    await real.ask("stats reset");
    const [ours, theirs] = [await embedded.stats(), await real.stats()];
    for (const name of ["cmd_get", "get_hits", "cmd_set", "total_items", "curr_items", "bytes"]) {
      assert.equal(ours.get(name), theirs.get(name), name);
    }
    assert.equal(ours.get("curr_items"), "1");
  });
}

it("commands about memcached's insides are refused by name", async (t) => {
  const server = await MemcachedServer.start();
  t.after(() => server.stop());
  const refused = (name: string): string =>
    `CLIENT_ERROR ${name} is not supported by the embedded server\r\n`;
  const cases: [string, string][] = [
    ["slabs reassign 1 2", refused("slabs")],
    ["slabs automove 0", refused("slabs")],
    ["lru tune 10 25 0.1 2.0", refused("lru")],
    ["lru mode flat", refused("lru")],
    ["stats detail on", refused("stats detail")],
    ["stats detail dump", refused("stats detail")],
    ["stats cachedump 1 1", "CLIENT_ERROR stats cachedump not allowed\r\n"],
    ["watch mutations", "CLIENT_ERROR watch commands not allowed\r\n"],
    ["shutdown", "ERROR: shutdown not enabled\r\n"],
  ];
  for (const [line, reply] of cases) {
    assert.equal(await play(server.address, `${line}|mn`), `${reply}MN\r\n`, line);
  }
});

describe("stats", () => {
  it("describes the server", async (t) => {
    const server = await MemcachedServer.start();
    const embedded = await Control.open(server.address);
    t.after(() => {
      embedded.close();
      return server.stop();
    });
    const stats = await embedded.stats();
    assert.equal(stats.get("pid"), String(process.pid));
    assert.equal(stats.get("version"), "1.6.18");
    assert.equal(stats.get("bytes_read"), String("stats\r\n".length));
    const written = Number((await embedded.stats()).get("bytes_written"));
    assert.ok(written > 500, `${written}`);
  });
});
