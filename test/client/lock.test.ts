/** Locks if replies are lost, connections end, servers restart or holders are too late. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { describe, test } from "node:test";
import { type Lock, Memcached } from "../../mod.ts";
import { startMemcached } from "../support/memcached.ts";
import { startProxy } from "../support/fault_proxy.ts";
import { startScriptedServer } from "../support/scripted_server.ts";
import { until } from "../support/until.ts";
import { ENDS_AFTER, PATIENT } from "../support/patient.ts";

function held(lock: Lock | undefined): Lock {
  assert.ok(lock !== undefined);
  return lock;
}

for (const protocol of ["meta", "classic"] as const) {
  describe(`lock, ${protocol}`, { concurrency: true }, () => {
    test("after its end another client holds it, and the first can neither extend nor release it", async () => {
      await using server = await startMemcached();
      await using first = new Memcached(server.address, { ...PATIENT, protocol });
      await using second = new Memcached(server.address, { ...PATIENT, protocol });
      const start = performance.now();
      const late = held(await first.lock("k", { ttl: 2 }));
      const next = held(await second.lock("k", { ttl: 10, wait: 10_000 }));
      const ms = performance.now() - start;
      assert.ok(ms >= ENDS_AFTER && ms < 10_000, `${ms}`);
      assert.equal(late.signal.aborted, true);
      assert.equal(await late.extend(), false);
      assert.equal(await late.release(), false);
      assert.ok(next.token > late.token);
      assert.equal(await next.extend(), true);
      assert.equal(await next.release(), true);
    });

    test("its signal aborts a second before its end, and later after an extension", async () => {
      await using server = await startMemcached();
      await using client = new Memcached(server.address, { ...PATIENT, protocol });
      const lock = held(await client.lock("k", { ttl: 3 }));
      const extended = performance.now();
      assert.equal(await lock.extend(4), true);
      await until(() => lock.signal.aborted);
      const ms = performance.now() - extended;
      assert.ok(ms >= 2_990 && ms < 6_000, `${ms}`);
      const other = await client.lock("k", { ttl: 2 });
      // Only if the machine was not too busy to look in time.
      if (performance.now() - extended < 3_990) assert.equal(other, undefined);
    });

    test("the server restarts: the lock is lost, and another's with the same token is left alone", async () => {
      await using server = await startMemcached();
      await using first = new Memcached(server.address, { ...PATIENT, protocol });
      await using second = new Memcached(server.address, { ...PATIENT, protocol });
      for (const way of ["release", "extend"] as const) {
        await server.restart();
        await until(() => first.get("x").then(() => true, () => false));
        await until(() => second.get("x").then(() => true, () => false));
        const lost = held(await first.lock("k", { ttl: 10 }));
        await server.restart();
        await until(() => second.get("x").then(() => true, () => false));
        const own = held(await second.lock("k", { ttl: 10 }));
        assert.equal(own.token, lost.token);
        await until(() => first.get("x").then(() => true, () => false));
        assert.equal(await lost[way](), false);
        assert.equal(await own.extend(), true);
        assert.equal(await own.release(), true);
      }
    });

    test("a new connection to the same server: the nonce is read, and its token taken", async () => {
      await using server = await startMemcached();
      await using proxy = await startProxy(server);
      await using client = new Memcached(proxy.address, { ...PATIENT, protocol });
      await using other = new Memcached(server.address, { ...PATIENT, protocol });
      const lock = held(await client.lock("k", { ttl: 10 }));
      await other.touch("k", 20);
      for (let i = 0; i < 3; i++) {
        proxy.spoil({ at: 0, by: "end" });
        await client.append("nothing", "x").catch(() => undefined);
        assert.equal(await (i < 2 ? lock.extend() : lock.release()), true);
      }
      assert.equal(await other.get("k"), undefined);
    });

    test("a reply is lost: what is stored decides", async () => {
      const add = /^(add|ms) k /;
      const read = /^(gets|mg) k/;
      const value = (nonce: Uint8Array, opaque: string | undefined, cas: number): Buffer => {
        const head = protocol === "meta"
          ? `VA 16 f0 c${cas} t11 O${opaque}\r\n`
          : `VALUE k 0 16 ${cas}\r\n`;
        return Buffer.concat([
          Buffer.from(head),
          nonce,
          Buffer.from(protocol === "meta" ? "\r\n" : "\r\nEND\r\n"),
        ]);
      };
      for (const outcome of ["stored", "another's", "nothing"] as const) {
        const lines: string[] = [];
        let nonce: Uint8Array = new Uint8Array(16);
        await using server = await startScriptedServer(async (peer) => {
          for (;;) {
            const { line, data, opaque } = await peer.next();
            lines.push(line.replace(/ O\d+$/, ""));
            if (data?.length === 16) nonce = data;
            if (add.test(line)) {
              await peer.next(); // the read that was sent in the same write
              return peer.destroy();
            }
            assert.match(line, read);
            if (outcome === "stored") await peer.write(value(nonce, opaque, 5));
            else if (outcome === "another's") {
              await peer.write(value(new Uint8Array(16), opaque, 5));
            } else await peer.write(protocol === "meta" ? `EN O${opaque}\r\n` : "END\r\n");
          }
        });
        const client = new Memcached(server.address, { ...PATIENT, protocol });
        const lock = await client.lock("k", { ttl: 10 });
        assert.equal(lock?.token, outcome === "stored" ? 5n : undefined);
        assert.equal(lines.length, 2);
        await client.close();
      }
    });

    test("nobody answers: rejects as ambiguous", async () => {
      await using server = await startMemcached();
      await using client = new Memcached(server.address, { protocol, timeout: 10_000 });
      await client.get("k");
      server.pause();
      const start = performance.now();
      await assert.rejects(client.lock("k", { ttl: 10, timeout: 200, wait: 10_000 }), {
        code: "TIMEOUT",
        ambiguous: true,
      });
      assert.ok(performance.now() - start < 9_000);
      server.resume();
    });
  });
}
