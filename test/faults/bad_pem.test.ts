/**
 * A value that is not a PEM is a TypeError of the constructor. A broken PEM is only found when TLS begins, and
 * then the server counts as unreachable.
 */
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Memcached, PartialError, ServerDownError } from "../../mod.ts";
import { freePort } from "../support/memcached.ts";
import { outcome, PATIENT } from "./rig.ts";

const pem = (what: string): string => `-----BEGIN ${what}-----\nnone\n-----END ${what}-----\n`;
const tls = { cert: pem("CERTIFICATE"), key: pem("PRIVATE KEY") };

function assertDown(error: unknown, address: string, why: RegExp): void {
  assert.ok(error instanceof ServerDownError, String(error));
  assert.match(error.message, why);
  assert.equal(error.server?.address, address);
  assert.ok(error.cause instanceof Error);
  assert.equal(error.ambiguous, false);
}

test("the constructor refuses what is not a PEM: a path, DER, nothing", () => {
  const wrong = ["/etc/ssl/ca.pem", "", new Uint8Array([0x30, 0x82]), new Uint8Array()];
  for (const name of ["ca", "cert", "key"]) {
    for (const value of wrong) {
      assert.throws(() => new Memcached("127.0.0.1", { tls: { [name]: value } }), {
        name: "TypeError",
        code: "ERR_INVALID_ARGUMENT",
        message: new RegExp(`^tls\\.${name} is not PEM, .* not its path$`),
      });
    }
  }
  new Memcached("127.0.0.1", { tls: { ca: new TextEncoder().encode(pem("CERTIFICATE")) } });
});

test("a broken PEM: every call rejects with the cause, and nothing hangs or is thrown later", async () => {
  // Deno does not look at the PEM before it is connected, so there the error is the refused connection.
  const why = "deno" in process.versions
    ? /ECONNREFUSED/
    : /tls\.key is not a complete PEM \(ERR_OSSL/;
  const address = `127.0.0.1:${await freePort()}`;
  const thrown: unknown[] = [];
  const take = (error: unknown): unknown => thrown.push(error);
  process.on("uncaughtException", take);
  try {
    for (
      const call of [
        (m: Memcached) => m.stats(),
        (m: Memcached) => m.flushAll(),
        (m: Memcached) => m.keys().next(),
        (m: Memcached) => m.get("k"),
        (m: Memcached) => m.set("k", "v"),
      ]
    ) {
      await using client = new Memcached(address, { tls, ...PATIENT });
      const { error, ms } = await outcome(call(client));
      assertDown(error, address, why);
      assert.ok(ms < 10_000, `${call}: ${ms} ms, not by its deadline`);
    }
    await using client = new Memcached(address, { tls, ...PATIENT });
    const { error } = await outcome(client.getMany(["a", "b"]));
    assert.ok(error instanceof PartialError, String(error));
    for (const each of error.errors.values()) assertDown(each, address, why);
    await sleep(300); // longer than any of the clients' timers
  } finally {
    process.off("uncaughtException", take);
  }
  assert.deepEqual(thrown, []);
});
