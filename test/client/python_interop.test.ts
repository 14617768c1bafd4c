// Values that the real python-memcached and pymemcache write are read here, and the other way round.
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { deflateSync } from "node:zlib";
import { CorruptValueError, Memcached } from "../../mod.ts";
import { type MemcachedServer, startMemcached } from "../support/memcached.ts";
import { python } from "../support/programs.ts";
import { rawSerializer } from "./suite/stage.ts";

type PythonClient = "python-memcached" | "pymemcache";
/** A Python value: its type, and its text or its bytes as base64. */
type PythonValue = readonly [type: string, text: string];
type Step = readonly [client: PythonClient, operation: string, key: string, ...unknown[]];

const SCRIPT = fileURLToPath(new URL("./python_interop.py", import.meta.url));
const CLIENTS: readonly PythonClient[] = ["python-memcached", "pymemcache"];

const ALL_BYTES = Uint8Array.from({ length: 256 }, (_, i) => i);
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");

/** Values that both sides have, as JavaScript and as Python write them. */
const SHARED: ReadonlyArray<readonly [name: string, ours: unknown, theirs: PythonValue]> = [
  ["text", "hello", ["str", "hello"]],
  ["empty-text", "", ["str", ""]],
  ["wide-text", "ä € 😀 \u0000 \r\nEND\r\n", ["str", "ä € 😀 \u0000 \r\nEND\r\n"]],
  ["digits", "12", ["str", "12"]],
  ["bytes", ALL_BYTES, ["bytes", base64(ALL_BYTES)]],
  ["no-bytes", new Uint8Array(0), ["bytes", ""]],
  ["zero", 0, ["int", "0"]],
  ["negative", -42, ["int", "-42"]],
  ["exact", Number.MAX_SAFE_INTEGER, ["int", "9007199254740991"]],
  ["large-text", "é".repeat(30_000), ["str", "é".repeat(30_000)]],
  ["key-é", "wide key", ["str", "wide key"]],
];

/** Integers that JavaScript cannot hold as exact numbers. */
const LONGS = [2n ** 53n, -(2n ** 53n) - 1n, 2n ** 64n - 1n, -(2n ** 100n)];

/** The real clients, in a process of their own. */
class PythonClients {
  readonly #process: ChildProcess;
  readonly #answers: AsyncIterator<string>;
  #errors = "";

  constructor(port: number) {
    const child = spawn(python(), [SCRIPT, String(port)], { stdio: ["pipe", "pipe", "pipe"] });
    child.stderr.setEncoding("utf8").on("data", (text: string) => this.#errors += text);
    child.once("error", (error) => this.#errors += error.message);
    this.#process = child;
    this.#answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  async ask(steps: readonly Step[]): Promise<readonly PythonValue[]> {
    this.#process.stdin?.write(`${JSON.stringify(steps)}\n`);
    const { value, done } = await this.#answers.next();
    if (done !== true) return JSON.parse(value) as PythonValue[];
    throw new Error(`The real clients cannot be asked:\n${this.#errors}`);
  }

  close(): void {
    this.#process.kill("SIGKILL");
  }
}

describe("Python's clients and this one read each other's values:", () => {
  let server: MemcachedServer;
  let asking: PythonClients;
  const python = (steps: readonly Step[]): Promise<readonly PythonValue[]> => asking.ask(steps);
  const clients: Memcached[] = [];

  before(async () => {
    server = await startMemcached();
    asking = new PythonClients(server.port);
    for (const protocol of ["meta", "classic"] as const) {
      clients.push(new Memcached(server.address, { protocol, timeout: 10_000 }));
    }
  });
  after(async () => {
    asking.close();
    await Promise.all(clients.map((client) => client.close()));
    await server.stop();
  });

  test("memwire reads what they write", async () => {
    const steps = CLIENTS.flatMap((name): Step[] => [
      ...SHARED.map(([key, , theirs]): Step => [name, "set", `${name}:${key}`, theirs]),
      ...LONGS.map((long): Step => [name, "set", `${name}:${long}`, ["int", String(long)]]),
    ]);
    for (const [, stored] of await python(steps)) assert.equal(stored, "True");
    for (const client of clients) {
      for (const name of CLIENTS) {
        for (const [key, ours] of SHARED) {
          assert.deepEqual(await client.get(`${name}:${key}`), ours);
        }
        for (const long of LONGS) assert.equal(await client.get(`${name}:${long}`), long);
        const items = SHARED.map(([key]) => `${name}:${key}`);
        assert.equal((await client.getMany(items)).size, SHARED.length);
      }
    }
  });

  test("they read what memwire writes", async () => {
    for (const client of clients) {
      await client.setMany(SHARED.map(([key, ours]) => [`ours:${key}`, ours]));
      await client.setMany(LONGS.map((long) => [`ours:${long}`, long]));
      for (const name of CLIENTS) {
        const steps = [
          ...SHARED.map(([key]): Step => [name, "get", `ours:${key}`]),
          ...LONGS.map((long): Step => [name, "get", `ours:${long}`]),
        ];
        assert.deepEqual(await python(steps), [
          ...SHARED.map(([, , theirs]) => theirs),
          ...LONGS.map((long) => ["int", String(long)]),
        ]);
      }
    }
  });

  test("compressed text and bytes of python-memcached are inflated", async () => {
    const text = "ä lot of text. ".repeat(5_000);
    const bytes = new Uint8Array(Buffer.alloc(100_000, ALL_BYTES));
    await python([
      ["python-memcached", "set compressed", "z:text", ["str", text]],
      ["python-memcached", "set compressed", "z:bytes", ["bytes", base64(bytes)]],
      ["python-memcached", "set compressed", "z:short", ["str", "short"]],
      ["python-memcached", "set compressed", "z:int", ["int", "9".repeat(200)]],
    ]);
    for (const client of clients) {
      assert.equal((await client.getItem("z:text"))?.flags, 24);
      assert.equal((await client.getItem("z:bytes"))?.flags, 8);
      assert.equal(await client.get("z:text"), text);
      assert.deepEqual(await client.get("z:bytes"), bytes);
      assert.equal(await client.get("z:short"), "short");
      assert.equal(await client.get("z:int"), BigInt("9".repeat(200)));
    }
  });

  test("compressed values inflate to maxValueBytes and no further", async () => {
    const most = 1_048_000;
    const raw = new Memcached(server.address, { serializer: rawSerializer, timeout: 10_000 });
    await raw.set("z:most", { data: deflateSync(Buffer.alloc(most)), flags: 8 });
    await raw.set("z:over", { data: deflateSync(Buffer.alloc(most + 1)), flags: 8 });
    await raw.close();
    for (const client of clients) {
      assert.equal((await client.get<Uint8Array>("z:most"))?.length, most);
      await assert.rejects(client.get("z:over"), (error) => {
        assert.ok(error instanceof CorruptValueError);
        return error.flags === 8 && /inflated.*maxValueBytes/.test(error.message);
      });
    }
  });

  test("pickles are refused, compressed ones too, and disturb nobody", async () => {
    const list: PythonValue = ["list", JSON.stringify(Array(500).fill("member"))];
    await python([
      ["python-memcached", "set", "p:list", list],
      ["python-memcached", "set compressed", "p:zlist", list],
      ["pymemcache", "set", "p:float", ["float", "1.5"]],
      ["pymemcache", "set", "p:text", ["str", "readable"]],
    ]);
    for (const client of clients) {
      for (const [key, flags] of [["p:list", 1], ["p:zlist", 9], ["p:float", 1]] as const) {
        const [refused, text] = await Promise.allSettled([client.get(key), client.get("p:text")]);
        assert.ok(refused.status === "rejected" && refused.reason instanceof CorruptValueError);
        assert.equal(refused.reason.flags, flags);
        assert.match(refused.reason.message, new RegExp(`flags ${flags}: .*pickle`));
        assert.deepEqual(text, { status: "fulfilled", value: "readable" });
      }
    }
  });

  test("both can go on counting the other's counters", async () => {
    for (const client of clients) {
      for (const name of CLIENTS) {
        await client.set("n", 99);
        assert.deepEqual(await python([[name, "incr", "n", 2], [name, "decr", "n", 92]]), [
          ["int", "101"],
          ["int", "9"],
        ]);
        // memcached has left spaces behind the 9.
        assert.equal(await client.get("n"), 9);
        assert.deepEqual(await python([[name, "get", "n"]]), [["int", "9"]]);
        await python([[name, "set", "n", ["int", "10"]]]);
        assert.equal(await client.decrement("n", 5), 5n);
        assert.equal(await client.increment("n", 2n ** 62n), 2n ** 62n + 5n);
        assert.deepEqual(await python([[name, "get", "n"]]), [["int", String(2n ** 62n + 5n)]]);
        assert.equal(await client.delete("n"), true);
        assert.equal(await client.increment("n", 1, { initial: 7 }), 7n);
        assert.deepEqual(await python([[name, "incr", "n", 1]]), [["int", "8"]]);
      }
    }
  });

  test("text stays text after append", async () => {
    for (const client of clients) {
      for (const name of CLIENTS) {
        await python([[name, "set", "a", ["str", "ä"]]]);
        await client.append("a", "€");
        assert.equal(await client.get("a"), "ä€");
        assert.deepEqual(await python([[name, "get", "a"]]), [["str", "ä€"]]);
      }
    }
  });
});
