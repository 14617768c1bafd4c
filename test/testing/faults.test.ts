/** The faults that a test can order, as bytes on the wire and as a client sees them. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Memcached, type MemcachedOptions } from "../../mod.ts";
import { MemcachedServer, type MemcachedServerOptions } from "../../src/testing/mod.ts";
import { makeAuthority } from "../support/certificates.ts";
import { Control, dial, play } from "./support.ts";

async function start(t: TestContext, options?: MemcachedServerOptions): Promise<MemcachedServer> {
  const server = await MemcachedServer.start(options);
  t.after(() => server.stop());
  return server;
}

function connect(t: TestContext, server: MemcachedServer, options?: MemcachedOptions): Memcached {
  const client = new Memcached(server.address, options);
  t.after(() => client.close());
  return client;
}

/** Collects everything that arrives on a socket, and how it ended: still "open", "end" or "reset". */
class Listening {
  text = "";
  end = "open";
  readonly socket: Socket;
  readonly closed: Promise<unknown>;

  constructor(socket: Socket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => socket.once("close", resolve));
    socket.setEncoding("latin1").on("data", (text: string) => this.text += text);
    socket.on("end", () => this.end = "end").on("error", (error: Error & { code?: string }) => {
      this.end = error.code === "ECONNRESET" ? "reset" : String(error.code);
    });
  }

  static async open(t: TestContext, address: string): Promise<Listening> {
    const socket = await dial(address);
    t.after(() => socket.destroy());
    return new Listening(socket);
  }

  async until(length: number): Promise<void> {
    while (this.text.length < length) await sleep(2);
  }
}

describe("stall", () => {
  it("accepts connections and answers nothing, and later answers what arrived meanwhile", async (t) => {
    const server = await start(t);
    const before = await Listening.open(t, server.address);
    server.stall(Infinity);
    const meanwhile = await Listening.open(t, server.address);
    before.socket.write("set a 0 0 1\r\nx\r\n");
    meanwhile.socket.write("version\r\n");
    await sleep(60);
    assert.equal(before.text + meanwhile.text, "");
    server.stall(0);
    await Promise.all([before.until(8), meanwhile.until(16)]);
    assert.equal(before.text, "STORED\r\n");
    assert.equal(meanwhile.text, "VERSION 1.6.18\r\n");
  });

  it("ends by itself, counted from the last order", async (t) => {
    const server = await start(t);
    const socket = await Listening.open(t, server.address);
    const begun = performance.now();
    server.stall(10_000);
    server.stall(80);
    socket.socket.write("mn\r\n");
    await socket.until(4);
    assert.ok(performance.now() - begun >= 75);
  });

  it("holds a client until its deadline, and no longer", async (t) => {
    const server = await start(t);
    const client = connect(t, server, { timeout: 100 });
    await client.set("a", 1);
    server.stall(Infinity);
    await assert.rejects(client.get("a"), { code: "TIMEOUT" });
    server.stall(0);
    while (await client.get("a").catch(() => undefined) !== 1) await sleep(10);
  });
});

describe("cut", () => {
  for (const reset of [false, true]) {
    const how = reset ? "reset" : "end";
    it(`${how}s the connection that is answered next, after so many bytes`, async (t) => {
      const server = await start(t);
      for (const [after, told] of [[undefined, ""], [3, "STO"], [8, "STORED\r\n"]] as const) {
        const other = await Listening.open(t, server.address);
        const socket = await Listening.open(t, server.address);
        server.cut({ after, reset });
        socket.socket.write(`set a 0 0 1\r\n${after ?? 0}\r\nset b 0 0 1 noreply\r\nx\r\n`);
        await socket.closed;
        assert.equal(socket.text, told);
        // Node 20 takes a reset that follows data at once for an ordinary end.
        if (told === "") assert.equal(socket.end, how);
        else assert.notEqual(socket.end, "open");
        other.socket.write("get a\r\n");
        await other.until(20);
        assert.equal(
          other.text,
          `VALUE a 0 1\r\n${after ?? 0}\r\nEND\r\n`,
          "the command was carried out",
        );
        other.socket.destroy();
      }
    });
  }

  it("counts bytes over several replies, and within a large value", async (t) => {
    const server = await start(t);
    await play(server.address, `set a 0 0 100000|${"x".repeat(100_000)}`);
    const socket = await Listening.open(t, server.address);
    server.cut({ after: 50_000 });
    socket.socket.write("mn\r\n");
    await socket.until(4);
    socket.socket.write("mg a v\r\nmn\r\n");
    await socket.closed;
    assert.equal(socket.text.length, 50_000);
    assert.equal(await play(server.address, "mn"), "MN\r\n");
  });

  it("just ends the connection on a unix socket", async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "memwire-testing-"));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const server = await start(t, { path: join(folder, "s") });
    for (const reset of [false, true]) {
      server.cut({ after: 2, reset });
      assert.equal(await play(server.address, "version"), "VE");
    }
  });

  it("leaves the outcome of a write unknown; a read is tried again", async (t) => {
    const server = await start(t);
    const client = connect(t, server);
    await client.set("hits", 1);
    server.cut({ reset: true });
    await assert.rejects(client.increment("hits"), { code: "CONNECTION_LOST", ambiguous: true });
    assert.equal(await client.get("hits"), 2);
    server.cut({ after: 1 });
    await assert.rejects(client.set("hits", 7), { code: "CONNECTION_LOST", ambiguous: true });
    assert.equal(await client.get("hits"), 7);
    server.cut();
    assert.equal(await client.get("hits"), 7, "a read is tried again");
  });
});

describe("refuse", () => {
  it("closes open connections, refuses new ones, and forgets nothing", async (t) => {
    const server = await start(t);
    const socket = await Listening.open(t, server.address);
    await play(server.address, "set a 0 0 1|x");
    await server.refuse(true);
    await server.refuse(true);
    await socket.closed;
    await assert.rejects(dial(server.address), { code: "ECONNREFUSED" });
    await server.refuse(false);
    await server.refuse(false);
    assert.equal(await play(server.address, "get a"), "VALUE a 0 1\r\nx\r\nEND\r\n");
  });

  it("looks to a client like a server that is down, and then up again", async (t) => {
    const server = await start(t);
    const client = connect(t, server);
    await client.set("a", 1);
    await server.refuse(true);
    await assert.rejects(client.get("a"), { code: "SERVER_DOWN" });
    await server.refuse(false);
    while (await client.get("a").catch(() => undefined) !== 1) await sleep(10);
  });

  it("does not keep the server from being stopped", async () => {
    const server = await MemcachedServer.start();
    await server.refuse(true);
    await server.stop();
    await server.refuse(false);
    await assert.rejects(dial(server.address), { code: "ECONNREFUSED" });
  });
});

describe("slow", () => {
  it("latency delays every reply, in order, until it is taken back", async (t) => {
    const server = await start(t);
    const socket = await Listening.open(t, server.address);
    server.slow({ latency: 60 });
    const begun = performance.now();
    socket.socket.write("mn\r\n");
    await sleep(20);
    socket.socket.write("version\r\n");
    await socket.until(4);
    assert.ok(performance.now() - begun >= 58);
    assert.match(socket.text, /^MN\r\n/);
    await socket.until(20);
    assert.ok(performance.now() - begun >= 78);
    server.slow({ latency: 60_000 });
    socket.socket.write("mn\r\n");
    await sleep(30);
    server.slow(null);
    await socket.until(24);
    assert.equal(socket.text, "MN\r\nVERSION 1.6.18\r\nMN\r\n");
    assert.equal(await play(server.address, "mn"), "MN\r\n");
  });

  it("bytesPerSecond lets a large reply trickle, and an upload too", async (t) => {
    const server = await start(t);
    await play(server.address, `set a 0 0 5000|${"x".repeat(5000)}`);
    server.slow({ bytesPerSecond: 20_000 });
    const socket = await Listening.open(t, server.address);
    let begun = performance.now();
    socket.socket.write("mg a v\r\n");
    const lengths = new Set<number>();
    while (socket.text.length < 5011) {
      lengths.add(socket.text.length);
      await sleep(1);
    }
    assert.ok(performance.now() - begun >= 200, "5,000 bytes take a quarter of a second");
    assert.ok(lengths.size > 5, `it came in ${lengths.size} pieces`);
    socket.text = "";
    begun = performance.now();
    socket.socket.write(`set b 0 0 4000\r\n${"y".repeat(4000)}\r\n`);
    await socket.until(8);
    assert.ok(performance.now() - begun >= 190);
    server.slow(null);
    assert.equal(await play(server.address, "mg b s"), "HD s4000\r\n");
  });

  it("ends the connection only after the delayed replies", async (t) => {
    const server = await start(t);
    server.slow({ latency: 30 });
    assert.equal(await play(server.address, "version|quit"), "VERSION 1.6.18\r\n");
    server.cut({ after: 10 });
    assert.equal(await play(server.address, "version|version"), "VERSION 1.");
  });
});

describe("fail", () => {
  const OOM = "SERVER_ERROR out of memory storing object";

  it("answers a number of commands with a line, and skips their values", async (t) => {
    const { address, ...rest } = await start(t).then((server) => ({
      address: server.address,
      fail: server.fail.bind(server),
    }));
    rest.fail("set", OOM, { times: 2 });
    assert.equal(
      await play(address, "set a 0 0 2|mn|set a 0 0 2 noreply|mn|set b 0 0 1|x|get a b"),
      `${OOM}\r\nSTORED\r\nVALUE b 0 1\r\nx\r\nEND\r\n`,
    );
    rest.fail("get", "SERVER_ERROR temporary failure");
    assert.equal(
      await play(address, "get a b c|get b"),
      "SERVER_ERROR temporary failure\r\nVALUE b 0 1\r\nx\r\nEND\r\n",
    );
    rest.fail("delete", "gibberish", { times: Infinity });
    assert.equal(await play(address, "delete b|delete b|md b"), "gibberish\r\n".repeat(3));
    rest.fail("delete", "gibberish", { times: 0 });
    assert.equal(await play(address, "delete b"), "DELETED\r\n");
  });

  it("takes a meta command's classic name, and its own name", async (t) => {
    const server = await start(t);
    const cases: [string, string][] = [
      ["get", "mg a v"],
      ["touch", "mg a T9"],
      ["gat", "mg a v T9"],
      ["set", "ms a 1|x"],
      ["set", "ms a 1 T9 MS|x"],
      ["add", "ms a 1 ME|x"],
      ["replace", "ms a 1 MR|x"],
      ["append", "ms a 1 MA|x"],
      ["prepend", "ms a 1 MP|x"],
      ["cas", "ms a 1 C1|x"],
      ["cas", "ms a 1 MR C1 q|x"],
      ["delete", "md a q"],
      ["incr", "ma a"],
      ["incr", "ma a MI"],
      ["decr", "ma a MD"],
      ["decr", "ma a M-"],
      ["mg", "mg a v T9"],
      ["ms", "ms a 1 ME|x"],
      ["ma", "ma a MD"],
      ["version", "version"],
      ["stats", "stats items"],
    ];
    for (const [command, line] of cases) {
      server.fail(command, OOM);
      assert.equal(await play(server.address, `mn|${line}|mn`), `MN\r\n${OOM}\r\nMN\r\n`, line);
    }
  });

  it("gives the error with which a client rejects", async (t) => {
    const server = await start(t);
    for (const protocol of ["meta", "classic"] as const) {
      const client = connect(t, server, { protocol });
      await client.set("a", 1);
      server.fail("set", OOM);
      await assert.rejects(client.set("a", 2), { code: "SERVER_ERROR" });
      assert.equal(await client.get("a"), 1, "it was not carried out");
      await client.set("a", 2);
    }
  });
});

describe("forget, restart", () => {
  it("forget drops one item, whatever characters its key has", async (t) => {
    const server = await start(t);
    const client = connect(t, server);
    await client.setMany([["a", 1], ["ключ", 2]]);
    assert.equal(server.forget("ключ"), true);
    assert.equal(server.forget("ключ"), false);
    assert.deepEqual(await client.getMany(["a", "ключ"]), new Map([["a", 1]]));
  });

  it("restart closes all connections and is empty on the same port", async (t) => {
    const server = await start(t);
    const socket = await Listening.open(t, server.address);
    await play(server.address, "set a 0 0 1|x|gets a");
    await server.restart();
    await socket.closed;
    assert.equal(
      await play(server.address, "get a|set b 0 0 1|y|gets b"),
      "END\r\nSTORED\r\nVALUE b 0 1 1\r\ny\r\nEND\r\n",
      "its tokens begin again",
    );
    const control = await Control.open(server.address);
    t.after(() => control.close());
    const stats = await control.stats();
    assert.equal(stats.get("curr_connections"), "1");
    assert.equal(stats.get("total_items"), "1");
    assert.equal(stats.get("uptime"), "2");
  });

  it("restart ends a stall and a refusal, and nothing else", async (t) => {
    const server = await start(t);
    server.stall(Infinity);
    await server.refuse(true);
    server.fail("version", "ERROR");
    await server.restart();
    assert.equal(await play(server.address, "version"), "ERROR\r\n");
  });
});

describe("calls", () => {
  it("tell one load from two, in either dialect", async (t) => {
    const server = await start(t);
    for (const protocol of ["meta", "classic"] as const) {
      const client = connect(t, server, { protocol });
      const before = server.calls.length;
      await client.set("a", 1);
      await client.getMany(["a", "ключ"]);
      await client.delete("a");
      await client.increment("n", 1, { initial: 1 });
      const calls = server.calls.slice(before).filter(({ key }) => key !== "");
      const told = calls.map(({ command, key }) => `${command} ${key}`);
      assert.deepEqual(told.slice(0, 4), ["set a", "get a", "get ключ", "delete a"]);
      assert.equal(told[4], "incr n");
    }
  });

  it("include each key of a long get, keys sent as base64, and commands without a key", async (t) => {
    const server = await start(t);
    const keys = Array.from({ length: 100 }, (_, index) => `key-number-${index}`);
    await play(server.address, `gets ${keys.join(" ")}|mg Zm9v b|flush_all|gat 0 x y|bogus`);
    assert.deepEqual(server.calls, [
      ...keys.map((key) => ({ command: "gets", key })),
      { command: "get", key: "foo" },
      { command: "flush_all", key: "" },
      { command: "gat", key: "x" },
      { command: "gat", key: "y" },
    ]);
  });

  it("are the last 10,000", async (t) => {
    const server = await start(t);
    await play(server.address, `get ${"a ".repeat(9_999)}|get b c d`);
    assert.equal(server.calls.length, 10_000);
    assert.deepEqual(server.calls.slice(-3).map(({ key }) => key), ["b", "c", "d"]);
    assert.equal(server.calls[9_996]?.key, "a");
  });
});

describe("a wrong order", () => {
  const orders: [string, (server: MemcachedServer) => unknown, RegExp][] = [
    ["stall(-1)", (server) => server.stall(-1), /^ms must be at least 0, not -1$/],
    ["stall(NaN)", (server) => server.stall(NaN), /^ms must be at least 0, not NaN$/],
    ["stall", (server) => server.stall("1" as never), /^ms must be a number, not a string$/],
    ["cut after", (server) => server.cut({ after: 1.5 }), /^after must be a whole number/],
    [
      "cut reset",
      (server) => server.cut({ reset: 1 as never }),
      /^reset must be true or false, not/,
    ],
    ["slow", (server) => server.slow(5 as never), /^slowness must be an object/],
    ["latency", (server) => server.slow({ latency: -1 }), /^latency must be at least 0/],
    ["speed", (server) => server.slow({ bytesPerSecond: 0 }), /^bytesPerSecond must be at least 1/],
    ["command", (server) => server.fail("sett", "ERROR"), /^there is no command "sett", only get,/],
    ["line", (server) => server.fail("set", "ERROR\r\n"), /^line must be a single line/],
    ["no line", (server) => server.fail("set", ""), /^line must not be empty$/],
    ["times", (server) => server.fail("set", "ERROR", { times: -1 }), /^times must be a whole/],
    ["an option", (server) => server.cut({ afer: 1 } as never), /did you mean "after"\?$/],
    ["forget", (server) => server.forget(1 as never), /^key must be a string, not/],
  ];
  for (const [name, order, message] of orders) {
    it(`${name} is refused, and changes nothing`, async (t) => {
      const server = await start(t);
      assert.throws(() => order(server), (error: Error & { code?: string }) => {
        assert.match(error.message, message);
        return error.code === "ERR_INVALID_ARGUMENT";
      });
      assert.equal(await play(server.address, "set a 0 0 1|x"), "STORED\r\n");
    });
  }

  it("refuse takes true or false", async (t) => {
    const server = await start(t);
    await assert.rejects(server.refuse(1 as never), /^TypeError.*on must be true or false/);
  });
});

describe("TLS and authentication", () => {
  it("are required of every client", async (t) => {
    const authority = makeAuthority();
    t.after(() => authority.dispose());
    const { cert, key } = authority.issue(["IP:127.0.0.1"]);
    const tls = { cert: readFileSync(cert), key: readFileSync(key, "utf8") };
    const auth = { username: "user", password: "pässword" };
    const server = await start(t, { tls, auth });
    const ca = readFileSync(authority.ca);
    const client = connect(t, server, { tls: { ca }, auth });
    const large = "v".repeat(300_000);
    await client.set("a", large);
    assert.equal(await client.get("a"), large);

    const wrong = { ...auth, password: "password" };
    await assert.rejects(connect(t, server, { tls: { ca }, auth: wrong }).get("a"), {
      code: "AUTH",
    });
    await assert.rejects(connect(t, server, { tls: true, auth }).get("a"), { code: "SERVER_DOWN" });
    server.stall(Infinity);
    const waiting = connect(t, server, { tls: { ca }, auth, connectTimeout: 10_000 });
    await assert.rejects(waiting.get("a", { timeout: 150 }), {
      code: "TIMEOUT",
      phase: "connecting",
    });
    const late = waiting.get("a", { timeout: 10_000 });
    server.stall(0);
    assert.equal(await late, large);

    const plain = connect(t, server, { auth, connectTimeout: 200 });
    await assert.rejects(plain.get("a"), { code: "SERVER_DOWN" });

    for (const reset of [false, true]) {
      server.cut({ after: 3, reset });
      await assert.rejects(client.set("b", 1), { code: "CONNECTION_LOST" });
      assert.equal(await client.get("a"), large);
    }
    server.slow({ latency: 5, bytesPerSecond: 5e6 });
    assert.equal(await client.get("a"), large);
    await server.refuse(true);
    await assert.rejects(client.get("a"), { code: "SERVER_DOWN" });
  });

  it("need options that make sense", async () => {
    for (
      const [options, message] of [
        [{ auth: { username: "a b", password: "c" } }, /^auth.username must not contain a space/],
        [{ auth: { username: "a", password: "" } }, /^auth.password must not be empty/],
        [{ auth: null as never }, /^auth must be an object/],
        [{ tls: { cert: "x", key: "y" } }, /^tls.cert must be a PEM text/],
        [{ tls: { cert: "-----BEGIN CERTIFICATE-----" } as never }, /^tls.key must be a PEM text/],
      ] as const
    ) {
      await assert.rejects(MemcachedServer.start(options), (error: Error & { code?: string }) => {
        assert.match(error.message, message);
        return error.code === "ERR_INVALID_ARGUMENT";
      });
    }
  });
});

it("an idle connection is closed by the server's own clock", async (t) => {
  const server = await start(t, { idleTimeout: 1 });
  const busy = await Control.open(server.address);
  t.after(() => busy.close());
  const idle = await Listening.open(t, server.address);
  const uploading = await Listening.open(t, server.address);
  uploading.socket.write("set a 0 0 5\r\nab");
  assert.equal((await busy.stats()).get("idle_kicks"), "0");
  while (idle.end === "open") {
    await busy.ask("version");
    await sleep(50);
  }
  assert.equal(idle.end, "end");
  assert.equal(uploading.end, "open", "a connection in the middle of a command is not idle");
  assert.equal((await busy.stats()).get("idle_kicks"), "1");
});
