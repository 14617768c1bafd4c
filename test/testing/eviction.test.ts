/** Which items are evicted when memory is short. */
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { ManualClock, MemcachedServer } from "../../src/testing/mod.ts";
import { Control, play } from "./support.ts";

/** The size of an item with a key of one letter, flags 0 and a value of 140 bytes. */
const ITEM = 48 + 8 + 2 + 140 + 2;
const VALUE = "v".repeat(140);

interface Tried {
  readonly clock: ManualClock;
  readonly control: Control;
  store(keys: string, exptime?: number): Promise<void>;
  /** Tells which of the keys are still there, without touching them. */
  left(keys: string): Promise<string>;
  play(line: string): Promise<string>;
}

/** A server with room for eight items. */
async function start(t: TestContext): Promise<Tried> {
  const clock = new ManualClock();
  const server = await MemcachedServer.start({ memoryLimit: 8 * ITEM, clock });
  const control = await Control.open(server.address);
  t.after(async () => {
    control.close();
    await server.stop();
  });
  return {
    clock,
    control,
    async store(keys, exptime = 0): Promise<void> {
      const lines = [...keys].map((key) => `set ${key} 0 ${exptime} 140|${VALUE}`);
      assert.equal(await play(server.address, lines.join("|")), "STORED\r\n".repeat(keys.length));
    },
    async left(keys): Promise<string> {
      const replies = await play(server.address, [...keys].map((key) => `mg ${key} k u`).join("|"));
      return [...replies.matchAll(/^HD k(.)/gm)].map(([, key]) => key).join("");
    },
    play: (line) => play(server.address, line),
  };
}

describe("under memoryLimit", () => {
  it("the least recently used item goes first", async (t) => {
    const { store, left, play } = await start(t);
    await store("abcdefgh");
    assert.equal(await left("abcdefgh"), "abcdefgh");
    await play("get a|mg b v|touch c 0|gat 0 d|add e 0 0 1|x");
    await store("ij");
    assert.equal(await left("abcdefghij"), "abcdehij");
    await store("klmno");
    assert.equal(await left("abcdefghijklmno"), "eijklmno");
  });

  it("a new value that replaces an old one needs only its own room", async (t) => {
    const { store, left, play } = await start(t);
    await store("abcdefgh");
    await store("hhhhh");
    assert.equal(await left("abcdefgh"), "abcdefgh");
    assert.equal(await play(`append h 0 0 1|x`), "STORED\r\n");
    assert.equal(await left("abcdefgh"), "bcdefgh");
  });

  it("evictions are counted separately from items that had expired anyway", async (t) => {
    const { clock, control, store, left, play } = await start(t);
    await store("ab", 10);
    await play("get a");
    await store("cdef");
    await store("gh", 1000);
    await play("get c");
    clock.advance(20);
    await store("ijklm");
    assert.equal(await left("abcdefghijklm"), "cghijklm");
    const stats = await control.stats();
    assert.equal(stats.get("reclaimed"), "2");
    assert.equal(stats.get("expired_unfetched"), "1");
    assert.equal(stats.get("evictions"), "3");
    assert.equal(stats.get("evicted_unfetched"), "3");
    assert.equal(stats.get("curr_items"), "8");
    assert.equal(stats.get("bytes"), String(8 * ITEM));
    assert.equal(stats.get("limit_maxbytes"), String(8 * ITEM));
    await store("no");
    const items = await control.stats("items");
    assert.equal(items.get("items:5:evicted"), "5");
    assert.equal(items.get("items:5:evicted_nonzero"), "2");
    assert.equal(items.get("items:5:evicted_time"), "20");
    assert.equal(items.get("items:5:number"), "8");
    assert.equal(items.get("items:5:mem_requested"), String(8 * ITEM));
  });

  it("flushed items make room before anybody asks for them", async (t) => {
    const { control, store, left } = await start(t);
    await store("abcdefgh");
    await control.ask("flush_all");
    await store("ij");
    assert.equal(await left("abcdefghij"), "ij");
    assert.equal((await control.stats()).get("evictions"), "0");
  });

  it("an item larger than the whole limit is refused, and the old one is gone", async (t) => {
    const { play } = await start(t);
    const refusal = "SERVER_ERROR out of memory storing object\r\n";
    const most = 8 * ITEM - (ITEM - 140);
    assert.equal(await play(`set a 0 0 ${most}|${"x".repeat(most)}`), "STORED\r\n");
    assert.equal(await play(`set a 0 0 ${most + 1}|${"x".repeat(most + 1)}`), refusal);
    const large = `2000|${"x".repeat(2000)}`;
    assert.equal(
      await play(`set a 0 0 1|x|set a 0 0 ${large}|get a`),
      `STORED\r\n${refusal}END\r\n`,
    );
    assert.equal(
      await play(`set a 0 0 1|x|replace a 0 0 ${large}|mg a`),
      `STORED\r\n${refusal}HD\r\n`,
    );
    assert.equal(await play(`ms a ${large}|mg a`), `${refusal}EN\r\n`);
    assert.equal(await play(`set a 0 0 ${large.replace("|", " noreply|")}|mn`), "MN\r\n");
  });

  it("cache_memlimit moves the limit", async (t) => {
    const { control, store, left, play } = await start(t);
    assert.equal(await play("cache_memlimit 8"), "OK\r\n");
    await store("abcdefghijkl");
    assert.equal(await left("abcdefghijkl"), "abcdefghijkl");
    assert.equal((await control.stats("settings")).get("maxbytes"), String(8 * 2 ** 20));
  });
});

describe("the crawler", () => {
  it("drops what has expired or was flushed, class by class", async (t) => {
    const { clock, control, store, play } = await start(t);
    await store("ab", 10);
    await play("set c 0 10 1|x|set d 0 0 1|x|get a");
    clock.advance(20);
    const count = async (): Promise<string | undefined> =>
      (await control.stats()).get("curr_items");
    assert.equal(await count(), "4");
    assert.equal(await play("lru_crawler crawl 1"), "OK\r\n");
    assert.equal(await count(), "3");
    assert.equal(await play("lru_crawler crawl 2,5"), "OK\r\n");
    assert.equal(await count(), "1");
    assert.equal((await control.stats("items")).get("items:1:crawler_reclaimed"), "1");
    const stats = await control.stats();
    assert.equal(stats.get("crawler_reclaimed"), "3");
    assert.equal(stats.get("expired_unfetched"), "2");
    await control.ask("flush_all");
    assert.equal(await play("lru_crawler crawl all"), "OK\r\n");
    assert.equal(await count(), "0");
  });

  it("can be turned off and on", async (t) => {
    const { control, play } = await start(t);
    const off = "CLIENT_ERROR lru crawler disabled\r\n";
    assert.equal(
      await play(
        "lru_crawler disable|lru_crawler disable|lru_crawler metadump all|lru_crawler crawl 1",
      ),
      `OK\r\nOK\r\n${off}${off}`,
    );
    assert.equal((await control.stats("settings")).get("lru_crawler"), "no");
    assert.equal(
      await play("lru_crawler enable|lru_crawler enable|lru_crawler crawl all"),
      "OK\r\nERROR failed to start lru crawler thread\r\nOK\r\n",
    );
    assert.equal((await control.stats("settings")).get("lru_crawler"), "yes");
  });
});
