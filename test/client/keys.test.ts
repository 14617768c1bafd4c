// keys(): many keys, odd keys, two lists at a time, and lists that are stopped early.
import assert from "node:assert/strict";
import { connect } from "node:net";
import { after, before, describe, test } from "node:test";
import { Memcached } from "../../mod.ts";
import { type MemcachedServer, startMemcached } from "../support/memcached.ts";

const COUNT = 12_000;

async function allOf(keys: AsyncIterable<string>): Promise<string[]> {
  const found: string[] = [];
  for await (const key of keys) found.push(key);
  return found.sort();
}

describe("keys", () => {
  let server: MemcachedServer;
  let client: Memcached;
  const names = Array.from({ length: COUNT }, (_, i) => `many:${i}:${"é".repeat(i % 20)}`).sort();

  before(async () => {
    server = await startMemcached();
    client = new Memcached(server.address, { timeout: 10_000 });
    await client.setMany(names.map((name) => [name, 1]));
  });
  after(async () => {
    await client.close();
    await server.stop();
  });

  test("all keys are listed, however slowly they are read", async () => {
    assert.deepEqual(await allOf(client.keys({ prefix: "many:" })), names);
    let count = 0;
    for await (const _ of client.keys()) {
      // Long pauses at first: a server must not be given up for a slow reader.
      if (count++ % 5_000 === 0) await new Promise((resolve) => setTimeout(resolve, 30));
    }
    assert.ok(count >= COUNT);
  });

  test("two lists at a time are both complete: a server makes one after the other", async () => {
    const lists = await Promise.all([1, 2, 3].map(() => allOf(client.keys({ prefix: "many:" }))));
    for (const list of lists) assert.deepEqual(list, names);
  });

  test("other calls go on during a list", async () => {
    const list = allOf(client.keys({ prefix: "many:" }));
    for (let i = 0; i < 50; i++) assert.equal(await client.get(names[i] as string), 1);
    assert.equal((await list).length, COUNT);
  });

  test("keys that are not UTF-8 are left out, all others are as they were set", async () => {
    const odd = ["odd:%41", "odd:%", "odd:=a&b;", "odd:exp=1", "odd:\u{1F600}", "odd:\u00a0"];
    await client.setMany(odd.map((name) => [name, 1]));
    const socket = connect(server.port, server.host);
    socket.write("set odd:\xff\xfe 0 0 1\r\n1\r\nset odd:\xc3 0 0 1\r\n1\r\n", "latin1");
    let answers = "";
    socket.setEncoding("latin1").on("data", (text: string) => answers += text);
    while (answers.length < "STORED\r\n".length * 2) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    socket.destroy();
    assert.deepEqual(await allOf(client.keys({ prefix: "odd:" })), odd.sort());
  });

  test("a reader may stop, throw or abort, and the next list is complete", async () => {
    for await (const key of client.keys()) {
      assert.equal(typeof key, "string");
      break;
    }
    const mistake = new Error("my own");
    await assert.rejects(
      (async () => {
        for await (const _ of client.keys()) throw mistake;
      })(),
      (error) => error === mistake,
    );
    const abort = new AbortController();
    let count = 0;
    await assert.rejects(
      (async () => {
        for await (const _ of client.keys({ signal: abort.signal })) {
          if (++count === 10) abort.abort(mistake);
        }
      })(),
      (error) => error === mistake,
    );
    assert.equal(count, 10);
    assert.deepEqual(await allOf(client.keys({ prefix: "many:" })), names);
  });

  test("wrong options reject before anything is sent", async () => {
    const nowhere = new Memcached("127.0.0.1:1");
    for (const options of [{ prefix: "a b" }, { prefix: 5 }, { signal: {} }, 5]) {
      const keys = nowhere.keys(options as { prefix?: string });
      await assert.rejects(keys.next(), { code: "ERR_INVALID_ARGUMENT" });
    }
    await nowhere.close();
  });
});
