import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { borrowMemcached, startMany, startMemcached } from "../support/memcached.ts";
import { until } from "../support/until.ts";

test("a server answers, dies and comes back on the same address", async (t) => {
  const server = await startMemcached();
  t.after(() => server.stop());
  assert.match(await server.ask("version"), /^VERSION \d/);
  const { pid } = server;
  await server.kill();
  assert.equal(server.pid, undefined);
  await assert.rejects(server.ask("version"));
  await server.restart();
  assert.notEqual(server.pid, pid);
  assert.match(await server.ask("version"), /^VERSION \d/);
});

test("servers started together have ports of their own", async (t) => {
  const servers = await startMany(3);
  t.after(() => Promise.all(servers.map((server) => server.stop())));
  assert.equal(new Set(servers.map((server) => server.address)).size, 3);
});

test("a paused server accepts connections and answers nothing", async (t) => {
  const server = await startMemcached();
  t.after(() => server.stop());
  server.pause();
  const answer = server.ask("version");
  const first = await Promise.race([answer, new Promise((resolve) => setTimeout(resolve, 100))]);
  assert.equal(first, undefined);
  server.resume();
  assert.match(await answer, /^VERSION/);
});

test("a unix socket, IPv6, options and authentication", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "memwire-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const servers = await Promise.all([
    startMemcached({ unixPath: join(folder, "socket") }),
    startMemcached({ host: "::1", args: ["-I", "2m"] }),
    startMemcached({ auth: { username: "someone", password: "secret" } }),
  ]);
  t.after(() => Promise.all(servers.map((server) => server.stop())));
  const [unix, v6, guarded] = servers;
  assert.ok(unix && v6 && guarded);
  assert.equal(unix.address, `unix:${join(folder, "socket")}`);
  assert.match(await unix.ask("version"), /^VERSION/);
  assert.equal(v6.address, `[::1]:${v6.port}`);
  assert.match(await v6.ask("stats settings"), /STAT item_size_max 2097152/);
  assert.match(await guarded.ask("version"), /unauthenticated/);
  assert.match(await guarded.ask("set x 0 0 14\r\nsomeone secret", /^STORED\r$/m), /STORED/);
});

test("a port that is taken is an error, not somebody else's server", async (t) => {
  const other = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  t.after(() => new Promise((resolve) => other.close(resolve)));
  const { port } = other.address() as { port: number };
  await assert.rejects(startMemcached({ port }), /did not start/);
});

test("a borrowed server comes from $MEMCACHED_SERVERS", async (t) => {
  const before = process.env["MEMCACHED_SERVERS"];
  t.after(() => {
    if (before === undefined) delete process.env["MEMCACHED_SERVERS"];
    else process.env["MEMCACHED_SERVERS"] = before;
  });
  process.env["MEMCACHED_SERVERS"] = " a:1, b:2";
  assert.deepEqual((await borrowMemcached()).addresses, ["a:1"]);
  assert.deepEqual((await borrowMemcached(2)).addresses, ["a:1", "b:2"]);
  delete process.env["MEMCACHED_SERVERS"];
  const borrowed = await borrowMemcached(2);
  t.after(() => borrowed.stop());
  assert.equal(borrowed.addresses.length, 2);
});

test("a server dies with the process that started it, even if that is killed", async () => {
  const launcher = fileURLToPath(new URL("../support/launch.js", import.meta.url));
  const program = fileURLToPath(new URL("start_servers.ts", import.meta.url));
  const before = "deno" in process.versions ? ["run", "-A", "--no-check"] : [];
  if (!("deno" in process.versions) && !("bun" in process.versions)) before.push(launcher);
  const starter = spawn(process.execPath, [...before, program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = await once(createInterface(starter.stdout), "line") as [string];
  const ports = line.split(" ").map(Number);
  assert.equal(ports.length, 3);
  assert.deepEqual(await Promise.all(ports.map(listens)), [false, true, true]);
  const gone = once(starter, "exit");
  process.kill(starter.pid as number, "SIGKILL");
  await gone;
  await until(async () => !(await Promise.all(ports.map(listens))).includes(true));
});

async function listens(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  return await new Promise<boolean>((resolve) => {
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
  }).finally(() => socket.destroy());
}
