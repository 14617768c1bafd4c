/** Starting and stopping a server, its addresses and connections. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { parseServers } from "../../src/address.ts";
import {
  ManualClock,
  MemcachedServer,
  type MemcachedServerOptions,
} from "../../src/testing/mod.ts";
import { startMemcached } from "../support/memcached.ts";
import { Control, dial, play } from "./support.ts";

async function start(t: TestContext, options?: MemcachedServerOptions): Promise<MemcachedServer> {
  const server = await MemcachedServer.start(options);
  t.after(() => server.stop());
  return server;
}

function scratch(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "memwire-testing-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

describe("an address", () => {
  it("is a free port of this machine by default", async (t) => {
    const servers = [await start(t), await start(t)];
    const addresses = servers.map((server) => server.address);
    assert.match(addresses[0] as string, /^127\.0\.0\.1:[1-9][0-9]*$/);
    assert.notEqual(addresses[0], addresses[1]);
    assert.equal(
      await play(addresses[0] as string, "set a 0 0 1|x|get a"),
      "STORED\r\nVALUE a 0 1\r\nx\r\nEND\r\n",
    );
    assert.equal(await play(addresses[1] as string, "get a"), "END\r\n", "they share nothing");
  });

  it("can be a port, an IPv6 host or a unix socket, as a client takes it", async (t) => {
    const first = await start(t, { host: "::1" });
    assert.match(first.address, /^\[::1\]:[0-9]+$/);
    assert.equal(await play(first.address, "mn"), "MN\r\n");
    const { address } = parseServers(first.address)[0]!;
    assert.equal(address.kind, "tcp");
    const port = address.kind === "tcp" ? address.port : 0;
    await first.stop();
    assert.equal((await start(t, { host: "::1", port })).address, first.address);

    const path = join(scratch(t), "memcached.sock");
    const unix = await start(t, { path });
    assert.equal(unix.address, `unix:${path}`);
    assert.equal(await play(unix.address, "mn"), "MN\r\n");
    await unix.stop();
    assert.equal(existsSync(path), false);
  });

  it("that is taken rejects", async (t) => {
    const { address } = await start(t);
    const port = Number(address.split(":")[1]);
    await assert.rejects(MemcachedServer.start({ port }), { code: "EADDRINUSE" });
    const path = join(scratch(t), "memcached.sock");
    const unix = await start(t, { path });
    await assert.rejects(MemcachedServer.start({ path }), { code: "EADDRINUSE" });
    assert.equal(await play(unix.address, "mn"), "MN\r\n", "the first one still listens there");
  });

  it("is taken over from a killed server, but not from a file", async (t) => {
    const folder = scratch(t);
    const path = join(folder, "dead.sock");
    const killed = await startMemcached({ unixPath: path });
    await killed.kill();
    assert.ok(existsSync(path));
    assert.equal(await play((await start(t, { path })).address, "mn"), "MN\r\n");

    const file = join(folder, "file");
    writeFileSync(file, "precious");
    await assert.rejects(MemcachedServer.start({ path: file }), { code: "EADDRINUSE" });
    assert.ok(existsSync(file));
  });
});

describe("options", () => {
  const wrong: [MemcachedServerOptions, typeof TypeError | typeof RangeError, RegExp][] = [
    [{ port: -1 }, RangeError, /^port must be a whole number from 0 to 65535, not -1$/],
    [{ port: 65_536 }, RangeError, /^port /],
    [{ port: 1.5 }, RangeError, /^port /],
    [{ port: "11211" as unknown as number }, TypeError, /^port must be a number, not a string$/],
    [{ host: "" }, TypeError, /^host /],
    [{ path: "" }, TypeError, /^path must not be empty$/],
    [{ path: "/tmp/x", port: 1 }, TypeError, /^path cannot be combined with port and host$/],
    [{ path: "/tmp/x", host: "::1" }, TypeError, /^path cannot be combined/],
    [{ memoryLimit: 1023 }, RangeError, /^memoryLimit /],
    [{ memoryLimit: NaN }, RangeError, /^memoryLimit /],
    [{ maxItemSize: 1023 }, RangeError, /^maxItemSize /],
    [{ maxItemSize: 2 ** 30 + 1 }, RangeError, /^maxItemSize /],
    [{ maxConnections: 0 }, RangeError, /^maxConnections /],
    [{ maxItemsize: 2048 } as MemcachedServerOptions, TypeError, /did you mean "maxItemSize"\?$/],
    [{ listen: "::1" } as MemcachedServerOptions, TypeError, /did you mean "host"\?$/],
    [{ clock: {} as { now(): number } }, TypeError, /^clock must have a now\(\) method$/],
  ];
  for (const [options, kind, message] of wrong) {
    it(`${JSON.stringify(options)} is refused`, async () => {
      await assert.rejects(MemcachedServer.start(options), (error: Error & { code?: string }) => {
        assert.ok(error instanceof kind);
        assert.match(error.message, message);
        return error.code === "ERR_INVALID_ARGUMENT";
      });
    });
  }

  it("maxItemSize bounds an item, its overhead included", async (t) => {
    const { address } = await start(t, { maxItemSize: 1024 });
    const most = 1024 - 48 - 8 - 2 - 2;
    assert.equal(await play(address, `set a 0 0 ${most}|${"x".repeat(most)}`), "STORED\r\n");
    assert.equal(
      await play(address, `set a 0 0 ${most + 1}|${"x".repeat(most + 1)}|get a`),
      "SERVER_ERROR object too large for cache\r\nEND\r\n",
    );
  });
});

describe("stopping", () => {
  it("closes connections and the port, and may be done twice", async () => {
    const server = await MemcachedServer.start();
    const socket = await dial(server.address);
    const closed = once(socket, "close");
    socket.on("error", () => {}).resume();
    await Promise.all([server.stop(), server.stop()]);
    await closed;
    await server.stop();
    await assert.rejects(dial(server.address), { code: "ECONNREFUSED" });
  });

  it("is what disposing does", async () => {
    const server = await MemcachedServer.start();
    await server[Symbol.asyncDispose]();
    await assert.rejects(dial(server.address), { code: "ECONNREFUSED" });
  });
});

describe("connections", () => {
  it("are counted, whichever way they end", async (t) => {
    const { address } = await start(t);
    const control = await Control.open(address);
    t.after(() => control.close());
    const count = async (): Promise<string | undefined> => {
      return (await control.stats()).get("curr_connections");
    };
    const ended = await dial(address);
    const reset = await dial(address);
    const quitting = await dial(address);
    assert.equal(await count(), "4");
    ended.end();
    reset.resetAndDestroy();
    quitting.write("quit\r\n");
    for (let tries = 0; tries < 100 && await count() !== "1"; tries++) await sleep(10);
    assert.equal(await count(), "1");
    assert.equal((await control.stats()).get("total_connections"), "4");
  });

  it("beyond maxConnections get an error and are closed", async (t) => {
    const { address } = await start(t, { maxConnections: 2 });
    const control = await Control.open(address);
    const second = await Control.open(address);
    t.after(() => control.close());
    assert.equal(await control.ask("version"), await second.ask("version"));
    const third = await dial(address);
    let told = "";
    third.setEncoding("latin1").on("data", (text: string) => told += text);
    await once(third, "close");
    assert.equal(told, "ERROR Too many open connections\r\n");
    second.close();
    for (let tries = 0; tries < 100; tries++) {
      if ((await control.stats()).get("curr_connections") === "1") break;
      await sleep(10);
    }
    assert.equal(await play(address, "mn"), "MN\r\n");
    const stats = await control.stats();
    assert.equal(stats.get("rejected_connections"), "1");
    assert.equal(stats.get("max_connections"), "2");
  });

  it("are listed by stats conns, with what they are doing", async (t) => {
    const clock = new ManualClock();
    const { address } = await start(t, { clock });
    const uploading = await dial(address);
    uploading.write("set a 0 0 5\r\nab");
    const refused = await dial(address);
    refused.write("set a 0 0 2000000\r\nab");
    const idle = await dial(address);
    clock.advance(3);
    idle.write("mn\r\n");
    await sleep(20);
    clock.advance(5);
    const control = await Control.open(address);
    t.after(() => {
      control.close();
      for (const socket of [uploading, refused, idle]) socket.destroy();
    });
    const conns = await control.stats("conns");
    assert.equal(conns.get("0:addr"), `tcp:${address}`);
    assert.equal(conns.get("0:state"), "conn_listening");
    const peers = [uploading, refused, idle].map(({ localPort }) => `tcp:127.0.0.1:${localPort}`);
    for (const [index, peer] of peers.entries()) {
      assert.equal(conns.get(`${index + 1}:addr`), peer);
      assert.equal(conns.get(`${index + 1}:listen_addr`), `tcp:${address}`);
    }
    const states = [1, 2, 3, 4].map((id) => conns.get(`${id}:state`));
    assert.deepEqual(states, ["conn_nread", "conn_swallow", "conn_read", "conn_parse_cmd"]);
    assert.equal(conns.get("3:secs_since_last_cmd"), "5");
    assert.equal(conns.get("4:secs_since_last_cmd"), "0");
  });

  it(
    "whose client does not read its replies are not read either, and lose nothing",
    { timeout: 20_000 },
    async (t) => {
      const { address } = await start(t);
      const size = 500_000;
      const replies = 200;
      const value = Buffer.alloc(size, "v");
      await play(address, `set big 0 0 ${size}|${value.toString()}`);

      const socket = await dial(address);
      socket.pause();
      const request = Buffer.from("mg big v\r\n");
      for (let count = 0; count < replies; count++) socket.write(request);
      socket.end(); // everything is sent, and everything must be answered
      const control = await Control.open(address);
      t.after(() => control.close());
      let answered = -1;
      for (let last = -2; answered !== last; await sleep(100)) {
        last = answered;
        answered = Number((await control.stats()).get("cmd_get"));
      }
      assert.equal((await control.stats("conns")).get("2:state"), "conn_mwrite");
      assert.ok(answered < replies, `${answered} of ${replies} answers were made up for nobody`);

      let bytes = 0;
      let text = "";
      socket.on("data", (chunk: Uint8Array) => {
        bytes += chunk.length;
        if (text.length < 10) text += Buffer.from(chunk).toString("latin1").slice(0, 10);
      });
      socket.resume();
      const expected = replies * (`VA ${size}\r\n`.length + size + 2);
      while (bytes < expected) await sleep(20);
      assert.equal(bytes, expected);
      assert.equal(text.slice(0, 9), "VA 500000");
      socket.destroy();
    },
  );

  it("may carry an upload in many pieces while other clients are served", async (t) => {
    const { address } = await start(t);
    const socket = await dial(address);
    socket.setEncoding("latin1");
    let reply = "";
    socket.on("data", (text: string) => reply += text);
    socket.write("set a 0 0 300000\r\n");
    for (let sent = 0; sent < 300_000; sent += 50_000) {
      socket.write("x".repeat(50_000));
      assert.equal(await play(address, "get a"), "END\r\n");
    }
    assert.equal(reply, "");
    socket.write("\r\n");
    while (reply === "") await sleep(5);
    assert.equal(reply, "STORED\r\n");
    assert.equal(await play(address, "mg a s"), "HD s300000\r\n");
    socket.destroy();
  });
});
