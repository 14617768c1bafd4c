/** Socket options: how long an address may take to connect, and when keep-alive asks a quiet peer. */
import assert from "node:assert/strict";
import dns from "node:dns";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import process from "node:process";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Memcached } from "../../mod.ts";
import { makeAuthority } from "../support/certificates.ts";
import { startMemcached } from "../support/memcached.ts";
import { outcome, PATIENT } from "./rig.ts";

type Lookup = (
  name: string,
  options: { all?: boolean },
  done: (...result: unknown[]) => void,
) => void;

/** Gives every name two addresses, if node:net asks node:dns for them (Deno looks names up by itself). */
function giveTwoAddresses(t: { after: (undo: () => void) => void }): void {
  const { lookup } = dns;
  const two: Lookup = (_name, { all }, done) =>
    process.nextTick(() =>
      all
        ? done(null, [{ address: "127.0.0.1", family: 4 }, { address: "::1", family: 6 }])
        : done(null, "127.0.0.1", 4)
    );
  dns.lookup = two as unknown as typeof lookup;
  t.after(() => dns.lookup = lookup);
}

test("a name with several addresses, a handshake that takes a second: connectTimeout holds", async (t) => {
  // The server's queue of connections is full, so the kernel drops the first SYN; the next comes a second later.
  await using server = await startMemcached({ args: ["-b", "1"] });
  server.pause();
  const fillers = Array.from({ length: 6 }, () => connect(server.port, "127.0.0.1"));
  for (const filler of fillers) filler.on("error", () => {});
  t.after(() => fillers.forEach((filler) => filler.destroy()));
  await sleep(200);
  giveTwoAddresses(t);
  await using client = new Memcached(`localhost:${server.port}`, {
    connectTimeout: 10_000,
    timeout: 10_000,
  });
  const set = outcome(client.set("k", "v"));
  await sleep(600);
  server.resume();
  const { error, ms } = await set;
  assert.equal(error, undefined);
  assert.ok(ms > 700, `connected after ${ms} ms, so it was not slow at all`);
});

/** Returns the kernel's timers of the client's connections to a port: their kind and remaining seconds. */
function timers(port: number): { kind: string; seconds: number }[] {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  return readFileSync("/proc/net/tcp", "latin1").split("\n").flatMap((line) => {
    const [, , remote = "", state, , timer = ""] = line.trim().split(/\s+/);
    if (!remote.endsWith(`:${hex}`) || state !== "01") return [];
    const [kind = "", left = ""] = timer.split(":");
    return [{ kind, seconds: Number.parseInt(left, 16) / 100 }];
  });
}

for (const secure of [false, true]) {
  test(`keep-alive asks a quiet server after a minute${secure ? ", over TLS" : ""}`, async () => {
    using authority = makeAuthority();
    const certificate = authority.issue(["IP:127.0.0.1", "DNS:localhost"]);
    await using server = await startMemcached(secure ? { tls: certificate } : {});
    await using client = new Memcached(server.address, {
      ...PATIENT,
      ...(secure ? { tls: { ca: readFileSync(authority.ca) } } : {}),
    });
    await client.set("k", "v");
    await sleep(300); // until everything is acknowledged
    const found = timers(server.port);
    assert.equal(found.length, 1, JSON.stringify(found));
    const [{ kind, seconds }] = found as [{ kind: string; seconds: number }];
    assert.equal(kind, "02", "keep-alive");
    assert.ok(seconds > 50 && seconds <= 60, `${seconds} s`);
  });
}
