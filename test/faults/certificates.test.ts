/** TLS that cannot work: calls are refused with the reason, and nothing hangs or is sent in the clear. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { Memcached, ServerDownError, type TlsOptions } from "../../mod.ts";
import { makeAuthority } from "../support/certificates.ts";
import { type MemcachedServer, startMemcached } from "../support/memcached.ts";
import { startScriptedServer } from "../support/scripted_server.ts";
import { outcome } from "./rig.ts";

async function assertRefused(
  server: { readonly address: string },
  tls: TlsOptions | undefined,
  why: RegExp,
): Promise<void> {
  await using client = new Memcached(server.address, {
    ...(tls === undefined ? {} : { tls }),
    connectTimeout: 500,
    timeout: 20_000,
  });
  const { error, ms } = await outcome(client.set("k", "v"));
  assert.ok(error instanceof ServerDownError, String(error));
  assert.equal(error.server?.address, server.address);
  assert.equal(error.ambiguous, false);
  assert.match(`${error.message} ${(error.cause as { code?: string })?.code}`, why);
  assert.ok(ms < 10_000, `${ms} ms`);
  const again = await outcome(client.get("k"));
  assert.ok(again.error instanceof ServerDownError);
}

async function assertServed(server: MemcachedServer, tls: TlsOptions): Promise<void> {
  await using client = new Memcached(server.address, { tls });
  await client.set("k", "v");
  assert.equal(await client.get("k"), "v");
}

describe("TLS that cannot work", () => {
  test("a certificate of an authority that is not trusted", async () => {
    using authority = makeAuthority();
    using stranger = makeAuthority();
    await using server = await startMemcached({ tls: authority.issue(["IP:127.0.0.1"]) });
    const untrusted =
      /is down: its certificate is not from a trusted authority \(.*(SIGNATURE|ISSUER)/;
    await assertRefused(server, {}, untrusted);
    await assertRefused(server, { ca: readFileSync(stranger.ca) }, untrusted);
    await assertServed(server, { ca: readFileSync(authority.ca) });
    await assertServed(server, { rejectUnauthorized: false });
  });

  test("a certificate for another name", async () => {
    using authority = makeAuthority();
    const ca = readFileSync(authority.ca);
    await using server = await startMemcached({
      tls: authority.issue(["DNS:cache.example", "IP:127.0.0.9"]),
    });
    const misnamed =
      /is down: its certificate is for another name \(ERR_TLS_CERT_ALTNAME_INVALID\)/;
    await assertRefused(server, { ca }, misnamed);
    await assertRefused(server, { ca, servername: "other.example" }, misnamed);
    await assertServed(server, { ca, servername: "cache.example" });
  });

  test("an expired certificate", async () => {
    using authority = makeAuthority();
    const ca = readFileSync(authority.ca);
    await using server = await startMemcached({ tls: authority.issue(["IP:127.0.0.1"], -1) });
    await assertRefused(
      server,
      { ca },
      /is down: its certificate has expired \(CERT_HAS_EXPIRED\)/,
    );
  });

  test("a server that asks for a client's certificate", async () => {
    using authority = makeAuthority();
    using stranger = makeAuthority();
    const ca = readFileSync(authority.ca);
    const read = ({ cert, key }: { cert: string; key: string }): TlsOptions => ({
      ca,
      cert: readFileSync(cert),
      key: readFileSync(key),
    });
    await using server = await startMemcached({
      tls: { ...authority.issue(["IP:127.0.0.1"]), ca: authority.ca },
    });
    await assertRefused(server, { ca }, /is down: it asks for a client's certificate/);
    const refused = /is down: it refused tls\.cert \(/;
    await assertRefused(server, read(stranger.issue(["DNS:client"])), refused);
    await assertServed(server, read(authority.issue(["DNS:client"])));
  });

  test("TLS to a server that does not speak it, and the other way round", async () => {
    using authority = makeAuthority();
    await using plain = await startMemcached();
    await assertRefused(plain, { rejectUnauthorized: false }, /is down: it does not answer in TLS/);
    await using secure = await startMemcached({ tls: authority.issue(["IP:127.0.0.1"]) });
    await assertRefused(secure, undefined, /is down: it closed the connection .* expects TLS/);
  });

  test("a server that answers the handshake with words", async () => {
    await using server = await startScriptedServer(() => {}, {
      greeting: "ERROR\r\n",
      dialect: "none",
    });
    await assertRefused(server, {}, /is down: ./);
    await using client = new Memcached(server.address, { tls: true, connectTimeout: 300 });
    await assert.rejects(client.set("secret", "kept"), ServerDownError);
    for (const peer of server.peers) {
      const text = new TextDecoder("latin1").decode(peer.received);
      assert.ok(!text.includes("version") && !text.includes("kept"), "nothing in the clear");
    }
  });
});
