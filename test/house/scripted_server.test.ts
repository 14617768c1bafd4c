import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Fault, startProxy } from "../support/fault_proxy.ts";
import { startMemcached } from "../support/memcached.ts";
import { done, hit, miss, status } from "../support/replies.ts";
import {
  type Script,
  type ScriptOptions,
  startScriptedServer,
} from "../support/scripted_server.ts";
import { until } from "../support/until.ts";

/** A client that collects everything that it receives. */
async function dial(port: number, t: TestContext): Promise<Watcher> {
  const socket = connect(port, "127.0.0.1");
  t.after(() => socket.destroy());
  const watcher: Watcher = { socket, text: "", chunks: 0, end: "" };
  socket.on("data", (bytes) => {
    watcher.text += bytes.toString("latin1");
    watcher.chunks++;
  });
  socket.on("end", () => watcher.end ||= "end");
  socket.on("error", (error: NodeJS.ErrnoException) => watcher.end ||= String(error.code));
  await once(socket, "connect");
  return watcher;
}

interface Watcher {
  readonly socket: Socket;
  text: string;
  chunks: number;
  end: string;
}

async function scripted(
  t: TestContext,
  script: Script,
  options?: ScriptOptions,
): ReturnType<typeof startScriptedServer> {
  const server = await startScriptedServer(script, options);
  t.after(() => server.stop());
  return server;
}

test("the handshake is answered in each dialect, the script sees the rest", async (t) => {
  const answers = { meta: "MN\r\n", classic: "ERROR\r\n", closing: "" };
  for (const [dialect, answer] of Object.entries(answers)) {
    const seen: string[] = [];
    const server = await scripted(t, async (peer) => {
      for (;;) seen.push((await peer.next()).line);
    }, { dialect: dialect as "meta" });
    const client = await dial(server.port, t);
    client.socket.write("version\r\nmn\r\nget a\r\nmn\r\n");
    await until(() => seen.length === 2 || client.end === "end");
    await until(() => client.text === `VERSION 1.6.18\r\n${answer}`);
    if (dialect !== "closing") assert.deepEqual(seen, ["get a", "mn"]);
    else await until(() => client.end === "end");
  }
});

test("commands come with their data however they were cut", async (t) => {
  const bytes = Buffer.from("ms k 4 T0 Oab\r\n\r\n\r\n\r\nset k 0 0 2\r\nhi\r\ngat 5 key\r\n");
  for (const size of [1, 7, bytes.length]) {
    let ended = false;
    const server = await scripted(t, async (peer) => {
      const first = await peer.next();
      assert.deepEqual(
        [first.name, first.key, first.opaque, Buffer.from(first.data ?? []).toString()],
        ["ms", "k", "ab", "\r\n\r\n"],
      );
      assert.equal(Buffer.from((await peer.next()).data ?? []).toString(), "hi");
      assert.equal((await peer.next()).key, "key");
      ended = true;
    }, { dialect: "none" });
    const client = await dial(server.port, t);
    for (let start = 0; start < bytes.length; start += size) {
      client.socket.write(bytes.subarray(start, start + size));
      await sleep(0);
    }
    await until(() => ended);
    assert.deepEqual(Buffer.from(server.peers[0]?.received ?? []), bytes);
  }
});

test("writes in pieces, a greeting, FIN and RST", async (t) => {
  const server = await scripted(t, async (peer) => {
    await peer.next();
    await peer.write("12345678", { chunk: 2, every: 5 });
    if (peer.index === 0) peer.end();
    else await peer.reset();
  }, { greeting: "hello\r\n" });
  const ends = ["end", "ECONNRESET"];
  for (const end of ends) {
    const client = await dial(server.port, t);
    client.socket.write("x\r\n");
    await until(() => client.end !== "");
    // A RST may overtake what was written before it.
    if (end === "end") assert.equal(client.text, "hello\r\n12345678");
    assert.ok("hello\r\n12345678".startsWith(client.text) && client.chunks >= 3);
    // A FIN may be seen before the RST.
    if (end === "end") assert.equal(client.end, end);
  }
  assert.equal(server.connections, 2);
  await until(() => server.open === 0);
});

test("a paused peer takes no more than the kernel's buffers", async (t) => {
  const server = await scripted(t, (peer) => peer.pause());
  const client = await dial(server.port, t);
  await until(() => server.peers.length === 1);
  let sent = 0;
  const command = Buffer.from(`ms key ${1 << 20}\r\n${"x".repeat(1 << 20)}\r\n`);
  for (let i = 0; i < 64; i++) client.socket.write(command, () => sent++);
  await sleep(100);
  assert.ok(sent < 64, `${sent} MiB were taken`);
  server.peers[0]?.resume();
  await until(() => sent === 64);
});

test("what a script throws comes out of stop, a client that leaves does not", async (t) => {
  const server = await startScriptedServer(async (peer) => {
    await peer.next();
    throw new Error("the script failed");
  });
  const gone = await dial(server.port, t);
  gone.socket.destroy();
  await until(() => server.connections === 1 && server.open === 0);
  const client = await dial(server.port, t);
  client.socket.write("get a\r\n");
  await sleep(20);
  await assert.rejects(server.stop(), /the script failed/);
});

test("replies follow the command's dialect", async (t) => {
  const replies: string[] = [];
  const server = await scripted(t, async (peer) => {
    for (;;) {
      const command = await peer.next();
      replies.push(String(hit(command, "xy")), String(miss(command)), String(done(command)));
      replies.push(String(status(command, "NS", "NOT_STORED")));
    }
  });
  const client = await dial(server.port, t);
  client.socket.write("mg k v f c k O1\r\ngets k\r\n");
  await until(() => replies.length === 8);
  assert.deepEqual(replies, [
    "VA 2 f16 c7 kk O1\r\nxy\r\n",
    "EN O1\r\n",
    "HD O1\r\n",
    "NS O1\r\n",
    "VALUE k 16 2 7\r\nxy\r\nEND\r\n",
    "END\r\n",
    "STORED\r\n",
    "NOT_STORED\r\n",
  ]);
});

test("the proxy passes, then spoils one reply", async (t) => {
  const memcached = await startMemcached();
  t.after(() => memcached.stop());
  const proxy = await startProxy(memcached);
  t.after(() => proxy.stop());
  const whole = "VALUE k 0 5\r\nhello\r\nEND\r\n";
  const cases: [Fault, string, string][] = [
    [{ at: 0, by: "end" }, "", "end"],
    [{ at: 15, by: "end" }, whole.slice(0, 15), "end"],
    [{ at: 15, by: "reset" }, whole.slice(0, 15), "ECONNRESET"],
    [{ at: 15, by: "stall" }, whole.slice(0, 15), ""],
    [{ at: 3, by: { delay: 10 } }, whole, ""],
    [{ at: 3, by: { split: 1 } }, whole, ""],
    [{ at: 6, by: { replace: "j" } }, whole.replace("VALUE k", "VALUE j"), ""],
    [{ at: 0, by: { insert: "ERROR\r\n" } }, `ERROR\r\n${whole}`, ""],
    [{ at: 13, by: { drop: 5 } }, whole.replace("hello", ""), ""],
  ];
  for (const [fault, text, end] of cases) {
    const client = await dial(proxy.port, t);
    client.socket.write("set k 0 0 5\r\nhello\r\n");
    await until(() => client.text === "STORED\r\n");
    client.text = "";
    proxy.spoil(fault);
    assert.equal(proxy.struck, false);
    client.socket.write("get k\r\n");
    // A RST may overtake what was written before it, and a FIN may be seen before the RST.
    const right = (): boolean =>
      end === "ECONNRESET"
        ? text.startsWith(client.text) && client.end !== ""
        : client.text === text && client.end === end;
    await until(() => proxy.struck && right());
    if (fault.by === "stall") {
      await sleep(20);
      assert.equal(client.text, text);
      proxy.release();
      await until(() => client.text === whole);
    }
    client.socket.destroy();
  }
  const client = await dial(proxy.port, t);
  await proxy.breakAll();
  await until(() => client.end === "ECONNRESET");
  assert.equal(proxy.connections, cases.length + 1);
});
