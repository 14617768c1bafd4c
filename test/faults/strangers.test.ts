/** Another program on the port, or no way to reach it: the error says what it looks like. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo, Server } from "node:net";
import process from "node:process";
import { test } from "node:test";
import { createServer as createTlsServer } from "node:tls";
import { fileURLToPath } from "node:url";
import {
  ConnectionLostError,
  Memcached,
  type MemcachedOptions,
  PartialError,
  ProtocolError,
  ServerDownError,
} from "../../mod.ts";
import { describeNetworkError, describeStranger } from "../../src/connection/network_words.ts";
import { findRuntimes } from "../session/processes.ts";
import { makeAuthority } from "../support/certificates.ts";
import { freePort, startMemcached } from "../support/memcached.ts";
import { startScriptedServer } from "../support/scripted_server.ts";
import { together } from "../support/together.ts";
import { until } from "../support/until.ts";
import { outcome } from "./rig.ts";
import { PATIENT } from "../support/patient.ts";

/** Asserts that calls are refused with these words, on the connection and on that of admin commands. */
async function assertRefused(
  address: string,
  words: RegExp,
  cause: abstract new (...args: never[]) => Error,
  options: MemcachedOptions = {},
): Promise<void> {
  for (const auth of [undefined, { username: "user", password: "password" }]) {
    await using client = new Memcached(address, {
      auth,
      timeout: 5_000,
      connectTimeout: 4_000,
      ...options,
    });
    for (const call of [() => client.get("k"), () => client.stats()]) {
      const { error } = await outcome(call());
      assert.ok(error instanceof ServerDownError, String(error));
      assert.equal(error.code, "SERVER_DOWN");
      assert.equal(error.server?.address, address);
      assert.ok(error.message.startsWith(`${address} is down: `), error.message);
      assert.match(error.message, words);
      assert.ok(error.cause instanceof cause, String(error.cause));
    }
    const { error } = await outcome(client.getMany(["a", "b"]));
    assert.ok(error instanceof PartialError);
    assert.equal(error.message, `2 of 2 keys failed: 2 SERVER_DOWN (${address})`);
  }
}

/** A real Redis. */
class Redis implements AsyncDisposable {
  readonly address: string;
  readonly #child: ChildProcess;

  constructor(port: number) {
    this.address = `127.0.0.1:${port}`;
    const quiet = ["--save", "", "--appendonly", "no", "--bind", "127.0.0.1"];
    this.#child = spawn("redis-server", ["--port", String(port), ...quiet], { stdio: "ignore" });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exit = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await exit;
  }
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const cases = together({
  "Redis": async () => {
    await using redis = new Redis(await freePort());
    const probe = new Memcached(redis.address, PATIENT);
    // It takes a moment to listen.
    await until(async () => !/ECONNREFUSED/.test(String((await outcome(probe.get("k"))).error)));
    await probe.close();
    await assertRefused(redis.address, /: it answers like a Redis server$/, ProtocolError);
  },

  "more than the handshake asked for": async () => {
    // None of it may become the answer to a command: not these statistics, for example.
    await using server = await startScriptedServer(() => {}, {
      greeting: "VERSION 1.6.18\r\nSTAT pid 1\r\nEND\r\n",
    });
    for (const call of [(m: Memcached) => m.get("k"), (m: Memcached) => m.stats()]) {
      await using client = new Memcached(server.address, { protocol: "classic", timeout: 5_000 });
      const { error } = await outcome(call(client));
      assert.ok(error instanceof ServerDownError, String(error));
      assert.match(error.message, /: .* sent an unexpected reply; the connection was dropped$/);
    }
  },

  "an HTTP server": async () => {
    const server = createServer((_, response) => response.end("hello"));
    const address = await listen(server);
    try {
      await assertRefused(address, /: it answers like an HTTP server$/, ProtocolError);
    } finally {
      server.close();
      server.closeAllConnections();
    }
  },

  "an HTTP server that answers a bare line without a header": async () => {
    await using server = await startScriptedServer(async (peer) => {
      await peer.next();
      await peer.write("<html>\r\n<head><title>400 Bad Request</title>");
    }, { dialect: "none" });
    await assertRefused(server.address, /: it answers like an HTTP server$/, ProtocolError);
  },

  "TLS, named by its alert": async () => {
    await using server = await startScriptedServer(async (peer) => {
      await peer.next();
      await peer.write(new Uint8Array([0x15, 3, 1, 0, 2, 2, 70]), { chunk: 1 });
    }, { dialect: "none" });
    const words = /: it answers in TLS, as the option tls or memcacheds:\/\/ would ask for$/;
    await assertRefused(server.address, words, ProtocolError);
  },

  "memcached that expects TLS, and node:tls": async () => {
    using authority = makeAuthority();
    const tls = authority.issue(["IP:127.0.0.1"]);
    await using server = await startMemcached({ tls });
    const words = /: it closed the connection without an answer, as a port that expects TLS does$/;
    await assertRefused(server.address, words, ConnectionLostError);
    const other = createTlsServer({ cert: readFileSync(tls.cert), key: readFileSync(tls.key) });
    other.on("tlsClientError", (_, socket) => socket.destroy());
    const address = await listen(other);
    try {
      // Runtimes differ in whether they send an alert before they close.
      await assertRefused(address, /\bTLS\b/, Error);
    } finally {
      other.close();
    }
  },

  "an unknown program": async () => {
    await using server = await startScriptedServer(
      (peer) => peer.write("SSH-2.0-OpenSSH_9.2\r\n"),
      { dialect: "none" },
    );
    const words = /: it does not answer like a memcached server$/;
    await assertRefused(server.address, words, ProtocolError);
  },

  "TLS to an HTTP server": async () => {
    const server = createServer();
    const address = await listen(server);
    try {
      const words = /: it does not answer in TLS \(ERR_SSL_\w+\)$/;
      await assertRefused(address, words, Error, { tls: true });
    } finally {
      server.close();
      server.closeAllConnections();
    }
  },

  "a certificate and a key that do not belong together": async () => {
    using authority = makeAuthority();
    const cert = readFileSync(authority.issue(["DNS:a"]).cert);
    const key = readFileSync(authority.issue(["DNS:b"]).key);
    await using server = await startMemcached({ tls: authority.issue(["IP:127.0.0.1"]) });
    // Deno's error does not say what is wrong.
    const words =
      /: (tls\.key does not belong to tls\.cert \(.*MISMATCH\)|ERR_SSL_UNSUPPORTED_\w+)$/;
    const tls = { ca: readFileSync(authority.ca), cert, key };
    await assertRefused(server.address, words, Error, { tls });
  },
});
for (const [name, run] of cases) test(name, run);

// Only if there is a Deno; a run in Node or Bun alone has none to ask.
const deno = findRuntimes().find(({ kind }) => kind === "deno");
if (deno !== undefined) {
  test("Deno without --allow-net: the error names the flag", async () => {
    const file = fileURLToPath(new URL("./no_permission.ts", import.meta.url));
    const child = spawn(deno.path, ["run", "--no-check", "--no-prompt", "--allow-env", file], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, NO_COLOR: "1" },
    });
    let text = "";
    child.stdout.setEncoding("utf8").on("data", (part: string) => text += part);
    const [code] = await once(child, "close");
    assert.equal(code, 0);
    const refused = JSON.parse(text) as { code: string; message: string }[];
    assert.equal(refused.length, 6);
    for (const { code, message } of refused) {
      assert.equal(code, "SERVER_DOWN");
      assert.match(
        message,
        /is down: this process has no permission to connect.*--allow-(net|read|write)/,
      );
    }
  });
}

test("words for the errors of runtimes", () => {
  const say = (code: string | undefined, name = "Error", message = "what it says"): string =>
    describeNetworkError(Object.assign(new Error(message), { name }, code ? { code } : {}));
  const words: ReadonlyArray<readonly [code: string, words: string]> = [
    ["ECONNREFUSED", "ECONNREFUSED"],
    ["ENOTFOUND", "its name has no address (ENOTFOUND)"],
    ["EAI_AGAIN", "its name could not be looked up (EAI_AGAIN)"],
    ["EACCES", "this process has no permission to connect (EACCES)"],
    ["ERR_ACCESS_DENIED", "this process has no permission to connect (ERR_ACCESS_DENIED)"],
    [
      "DEPTH_ZERO_SELF_SIGNED_CERT",
      "its certificate is not from a trusted authority (DEPTH_ZERO_SELF_SIGNED_CERT)",
    ],
    ["CERT_NOT_YET_VALID", "its certificate is not valid yet (CERT_NOT_YET_VALID)"],
    ["ERR_BORINGSSL", "tls.ca, tls.cert or tls.key is not a complete PEM (ERR_BORINGSSL)"],
  ];
  for (const [code, right] of words) assert.equal(say(code), right);
  assert.equal(say(undefined), "what it says");
  assert.equal(
    say(undefined, "NotCapable", "Requires net access"),
    "this process has no permission to connect (NotCapable): Requires net access",
  );
  for (const head of ["-ERR unknown", "+OK", "-"]) assert.match(describeStranger(head), /Redis/);
  for (const head of ["HTTP/1.1 400", "<!DOCTYPE"]) assert.match(describeStranger(head), /HTTP/);
  for (const head of ["", "VERSION", "220 mail"]) {
    assert.equal(describeStranger(head), "it does not answer like a memcached server");
  }
});
