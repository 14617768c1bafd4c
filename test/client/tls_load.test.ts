// Many bytes at once over TLS. memcached before 1.6.39, such as Debian's 1.6.18, stalls for good if several TLS
// records with commands wait for it, so connection/socket.ts paces what it writes.
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { Memcached } from "../../mod.ts";
import { type Authority, makeAuthority } from "../support/certificates.ts";
import { type MemcachedServer, startMemcached } from "../support/memcached.ts";

/** Sizes of all kinds: mostly small, some of about a TLS record, some of many records. */
function sizeOf(i: number): number {
  if (i % 1000 === 0) return 150_000 + i;
  if (i % 250 === 0) return 65_530 + i % 12;
  if (i % 100 === 0) return 16_300 + i % 170;
  return (i * 7919) % 1500;
}

/** A value that shows which key it belongs to, as text of one or two bytes a character or as bytes. */
function valueOf(i: number): string | Uint8Array {
  const size = sizeOf(i);
  const text = `${i}:${(i % 3 === 0 ? "é" : "x").repeat(i % 3 === 0 ? size >> 1 : size)}`;
  return i % 5 === 0 ? Buffer.from(text) : text;
}

function assertSame(found: unknown, i: number): void {
  const expected = valueOf(i);
  const same = typeof expected === "string"
    ? found === expected
    : Buffer.from(expected).equals(found as Uint8Array);
  assert.ok(same, `the value of call ${i}, ${sizeOf(i)} characters`);
}

describe("over TLS", () => {
  let authority: Authority;
  let server: MemcachedServer;

  before(async () => {
    authority = makeAuthority();
    const tls = authority.issue(["IP:127.0.0.1"]);
    server = await startMemcached({ tls, args: ["-m", "512"] });
  });
  after(async () => {
    await server.stop();
    authority.dispose();
  });

  for (const [protocol, count] of [["auto", 20_000], ["classic", 6_000]] as const) {
    test(`${protocol}: ${count} sets of mixed sizes in one tick are all answered`, async (t) => {
      const connect = (): Memcached => {
        const client = new Memcached(server.address, {
          protocol,
          prefix: `${protocol}:`,
          tls: { ca: readFileSync(authority.ca) },
          timeout: 30_000,
          connectTimeout: 10_000,
          maxPending: count,
          maxPendingBytes: 2 ** 28,
        });
        t.after(() => client.close());
        return client;
      };
      const keys = Array.from({ length: count }, (_, i) => `k${i}`);
      const client = connect();
      await client.version();
      await Promise.all(keys.map((key, i) => client.set(key, valueOf(i))));
      for (let from = 0; from < count; from += 2_000) {
        const found = await client.getMany(keys.slice(from, from + 2_000));
        assert.equal(found.size, 2_000);
        for (let i = from; i < from + 2_000; i++) assertSame(found.get(`k${i}`), i);
      }
      // Also on a connection that is not open yet: everything that waited for it is sent at once.
      const fresh = connect();
      await Promise.all(keys.map((key, i) => fresh.set(key, i)));
      const reads = await Promise.all(keys.slice(0, 5_000).map((key) => fresh.get(key)));
      reads.forEach((found, i) => assert.equal(found, i));
    });
  }
});
