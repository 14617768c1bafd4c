/**
 * Stubs and stale items that other clients' leases leave on a real server. A stub is a miss for every read, and
 * a read that only wants the value leaves the win of a stale item to a client that recaches.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Memcached } from "../../mod.ts";
import { MemcachedServer } from "../../src/testing/mod.ts";
import { type MemcachedServer as RealServer, startMemcached } from "../support/memcached.ts";
import { startScriptedServer } from "../support/scripted_server.ts";
import { until } from "../support/until.ts";
import { PATIENT } from "../support/patient.ts";

const LINE = /\r\n$/;

/** Another client: one line of meta commands at a time. */
type Other = (line: string) => Promise<string>;

interface Scene extends AsyncDisposable {
  readonly client: Memcached;
  readonly other: Other;
}

async function scene(protocol: "meta" | "classic", embedded = false): Promise<Scene> {
  const server = embedded ? await MemcachedServer.start() : await startMemcached();
  const client = new Memcached(server.address, { ...PATIENT, protocol });
  const [host, port] = server.address.split(":");
  const other: Other = embedded
    ? (line) => askAt(host as string, Number(port), line)
    : (line) => (server as RealServer).ask(line, LINE);
  return {
    client,
    other,
    async [Symbol.asyncDispose](): Promise<void> {
      await client.close();
      await server.stop();
    },
  };
}

async function askAt(host: string, port: number, line: string): Promise<string> {
  const { connect } = await import("node:net");
  const socket = connect(port, host);
  return await new Promise<string>((resolve, reject) => {
    let text = "";
    socket.setEncoding("latin1").on("data", (part: string) => {
      text += part;
      if (LINE.test(text)) resolve(text);
    }).once("error", reject);
    socket.write(`${line}\r\n`);
  }).finally(() => socket.destroy());
}

/** A way to make a stub, and how the other client sees it afterwards. */
const STUBS: Readonly<Record<string, { make: string; meta: boolean; claimed: RegExp }>> = {
  "an item that mg with N made": { make: "mg k v N100", meta: true, claimed: /^VA 0 s0 t\d+ Z/ },
  "memwire's own, while a value is loaded": {
    make: "ms k 16 F65536 T100\r\n0123456789abcdef",
    meta: false,
    claimed: /^VA 16 s16 t\d+\r/,
  },
  "an absence that is remembered": {
    make: "ms k 0 F131072 T100\r\n",
    meta: false,
    claimed: /^VA 0 s0 t\d+\r/,
  },
};

const READS: Readonly<Record<string, (client: Memcached) => Promise<unknown>>> = {
  get: (client) => client.get("k"),
  "several gets": (client) => Promise.all([client.get("k"), client.get("k"), client.get("x")]),
  getMany: (client) => client.getMany(["k", "x"]),
  getItem: (client) => client.getItem("k"),
  "getItem with touch": (client) => client.getItem("k", { touch: 5_000 }),
  getAndTouch: (client) => client.getAndTouch("k", 5_000),
  has: (client) => client.has("k"),
  touch: (client) => client.touch("k", 5_000),
};

/** What each read returns if nothing is stored. */
const MISSES: Readonly<Record<string, unknown>> = {
  "several gets": [undefined, undefined, undefined],
  getMany: new Map(),
  has: false,
  touch: false,
};

for (const protocol of ["meta", "classic"] as const) {
  describe(`stubs, ${protocol}`, () => {
    for (const [name, stub] of Object.entries(STUBS)) {
      if (stub.meta && protocol === "classic") continue; // classic cannot tell it from an empty value

      test(`${name} is a miss for every read, and no read makes it live longer`, async () => {
        await using s = await scene(protocol);
        for (const [way, read] of Object.entries(READS)) {
          await s.other("md k");
          await s.other(stub.make);
          const result = await read(s.client);
          if (protocol === "classic" && /touch/i.test(way)) {
            // In classic the reply is only TOUCHED, and nothing tells the earlier ttl.
            assert.deepEqual(result, way === "touch" ? true : undefined, way);
            continue;
          }
          assert.deepEqual(result, MISSES[way], way);
          await s.client.version(); // by now the commands that were sent after the reply are answered too
          const seen = await s.other("mg k v s t");
          assert.match(seen, stub.claimed, way);
          const left = Number(/ t(\d+)/.exec(seen)?.[1]);
          assert.ok(left <= 100 && left >= 98, `${way}: ${seen}`);
        }
      });

      test(`${name}: add says that something is there, update writes over it`, async () => {
        await using s = await scene(protocol);
        await s.other(stub.make);
        assert.equal(await s.client.add("k", "added"), false);
        const seen: unknown[] = [];
        const stored = await s.client.update<string>("k", (current) => {
          seen.push(current);
          return "updated";
        });
        assert.deepEqual([stored, seen], ["updated", [undefined]]);
        assert.equal(await s.client.get("k"), "updated");
      });

      test(`${name}: update's write is refused if the winner was faster`, async () => {
        await using s = await scene(protocol);
        await s.other(stub.make);
        const seen: unknown[] = [];
        await s.client.update<string>("k", async (current) => {
          seen.push(current);
          if (current === undefined) await s.other("ms k 3 F16\r\nown");
          return `${current} updated`;
        });
        assert.deepEqual(seen, [undefined, "own"]);
        assert.equal(await s.client.get("k"), "own updated");
      });
    }

    test("an empty value is a value, and so are values with other flags", async () => {
      await using s = await scene(protocol);
      await s.client.set("k", new Uint8Array(0));
      assert.deepEqual(await s.client.get("k"), new Uint8Array(0));
      assert.equal(await s.client.has("k"), true);
      assert.equal(await s.client.touch("k", 60), true);
      await s.client.set("k", "");
      assert.deepEqual([await s.client.get("k"), await s.client.has("k")], ["", true]);
    });

    test("a serializer is not asked about a stub, and may not mark a value as one", async () => {
      await using s = await scene(protocol);
      let flags = 65_536;
      const serializer = {
        serialize: () => ({ data: new Uint8Array(1), flags }),
        deserialize: (): unknown => assert.fail("asked"),
      };
      const address = s.client.serverFor("k").address;
      await using own = new Memcached(address, { ...PATIENT, protocol, serializer });
      await s.other("ms k 3 F65536\r\nabc");
      assert.equal(await own.get("k"), undefined);
      await s.other("ms k 3 F131072\r\nabc");
      assert.equal(await own.get("k"), undefined);
      await assert.rejects(own.set("k", 1), { code: "ERR_INVALID_ARGUMENT" });
      flags = 131_072;
      await assert.rejects(own.set("k", 1), { code: "ERR_INVALID_ARGUMENT" });
      flags = 131_073;
      await own.set("k", 1);
    });
  });
}

for (const embedded of [false, true]) {
  const where = embedded ? "the embedded server" : "memcached";
  describe(`stale items, ${where}`, () => {
    for (const way of ["get", "several gets", "getMany", "getAndTouch", "has", "touch"]) {
      test(`${way} leaves the win to a client that recaches`, async () => {
        await using s = await scene("meta", embedded);
        for (let round = 0; round < 3; round++) {
          await s.client.set("k", "value", { ttl: 100 });
          await s.other("md k I T30");
          const read = READS[way] as (client: Memcached) => Promise<unknown>;
          const first = await read(s.client);
          assert.deepEqual(await read(s.client), first, "as long as nobody has recached");
          assert.match(JSON.stringify(first instanceof Map ? [...first] : first), /value|true/);
          // The win is given back after the reply has come.
          await until(async () => / W/.test(await s.other("mg k v")));
          assert.match(await s.other("mg k v"), / Z/, "the win went to one client");
        }
      });
    }

    test("getItem and update keep the win: giving it back would void their token", async () => {
      await using s = await scene("meta", embedded);
      await s.client.set("k", "value");
      await s.other("md k I T30");
      const item = await s.client.getItem<string>("k");
      assert.equal(item?.value, "value");
      await s.client.version();
      assert.match(await s.other("mg k v"), / Z/);
      assert.equal(await s.client.cas("k", "again", item.cas), "stored");
      await s.other("md k I T30");
      assert.equal(await s.client.update<string>("k", (v) => `${v}!`), "again!");
      assert.match(await s.other("mg k v"), /^VA 6\r/, "fresh");
    });

    test("a stub whose win is given back can be won, and update writes by its token", async () => {
      await using s = await scene("meta", embedded);
      for (const make of ["ms k 1 F65536\r\nx", "ms k 0 F131072\r\n", "ms k 0\r\n"]) {
        for (const way of Object.keys(READS)) {
          await s.other(make);
          await s.other("md k I T100");
          const result = await (READS[way] as (client: Memcached) => Promise<unknown>)(s.client);
          assert.deepEqual(result, MISSES[way], `${make} ${way}`);
          await until(async () => / W/.test(await s.other("mg k v")));
        }
        await s.other(make);
        await s.other("md k I T100");
        assert.equal(await s.client.update("k", () => "updated"), "updated");
        assert.equal(await s.client.get("k"), "updated");
      }
    });
  });
}

test("a read that has timed out gives the win back too", async () => {
  let given: ((line: string) => void) | undefined;
  const back = new Promise<string>((resolve) => given = resolve);
  await using server = await startScriptedServer(async (peer) => {
    const read = await peer.next();
    await new Promise((resolve) => setTimeout(resolve, 150));
    await peer.write(`VA 5 f16 c9 t30 W X O${read.opaque}\r\nvalue\r\n`);
    const next = await peer.next();
    given?.(next.line);
    await peer.write(`HD O${next.opaque}\r\n`);
  });
  await using client = new Memcached(server.address, { ...PATIENT, protocol: "meta" });
  await assert.rejects(client.getItem("k", { timeout: 50 }), { code: "TIMEOUT" });
  assert.match(await back, /^md k I C9 /);
});

test("a value that was written since is not marked stale", async () => {
  const lines: string[] = [];
  await using server = await startScriptedServer(async (peer) => {
    for (;;) {
      const { line, opaque } = await peer.next();
      lines.push(line.replace(/ O\d+$/, ""));
      await peer.write(
        lines.length === 1 ? `VA 5 f16 W X O${opaque}\r\nvalue\r\n` : `HD c10 O${opaque}\r\n`,
      );
    }
  });
  await using client = new Memcached(server.address, { ...PATIENT, protocol: "meta" });
  assert.equal(await client.get("k"), "value");
  await client.set("x", 1);
  assert.deepEqual(lines, ["mg k v f", "mg k c", "ms x 1 F2"]);
});

for (const end of ["garbage behind the reply", "a reset"]) {
  test(`a win that is given back as its connection ends by ${end} goes to no server without meta`, async () => {
    const received: string[] = [];
    await using server = await startScriptedServer(async (peer) => {
      const meta = peer.index === 0;
      for (;;) {
        const command = await peer.next();
        const { name, line } = command;
        if (name === "version") await peer.write(`VERSION ${meta ? "1.6.18" : "1.5.22"}\r\n`);
        else if (name === "mn") await peer.write(meta ? "MN\r\n" : "ERROR\r\n");
        else if (meta) {
          const stale = `VA 3 f16 O${command.opaque} W X\r\nold\r\n`;
          await peer.write(end === "a reset" ? stale : `${stale}garbage\r\n`);
          if (end === "a reset") return await peer.reset();
        } else {
          received.push(line);
          await peer.write("END\r\n");
        }
      }
    }, { dialect: "none" });
    await using client = new Memcached(server.address, { timeout: 20_000, connectTimeout: 20_000 });
    assert.equal(await client.get("a"), "old");
    assert.equal(await client.get("b"), undefined);
    assert.deepEqual(received, ["get b"]);
  });
}
