/** Socket options: how long an address may take to connect, and when keep-alive asks a quiet peer. */
import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import dns from "node:dns";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import process from "node:process";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type ConnectionMessage, Memcached } from "../../mod.ts";
import { makeAuthority } from "../support/certificates.ts";
import { startMemcached } from "../support/memcached.ts";
import { outcome, PATIENT } from "./rig.ts";

type Lookup = (
  name: string,
  options: { all?: boolean },
  done: (...result: unknown[]) => void,
) => void;

const LOOKUP = dns.lookup;
const ONE_OF_EACH = [{ address: "127.0.0.1", family: 4 }, { address: "::1", family: 6 }];

/** Gives every name these addresses, where node:net asks node:dns for them (Deno looks names up by itself). */
function giveAddresses(
  t: { after: (undo: () => void) => void },
  addresses: readonly { readonly address: string; readonly family: number }[] = ONE_OF_EACH,
): void {
  const two: Lookup = (_name, { all }, done) =>
    process.nextTick(() => all ? done(null, addresses) : done(null, "127.0.0.1", 4));
  dns.lookup = two as unknown as typeof LOOKUP;
  t.after(() => dns.lookup = LOOKUP);
}

test("a name with several addresses, a handshake that takes a second: connectTimeout holds", async (t) => {
  // The server's queue of connections is full, so the kernel drops the first SYN; the next comes a second later.
  await using server = await startMemcached({ args: ["-b", "1"] });
  server.pause();
  const fillers = Array.from({ length: 6 }, () => connect(server.port, "127.0.0.1"));
  for (const filler of fillers) filler.on("error", () => {});
  t.after(() => fillers.forEach((filler) => filler.destroy()));
  await sleep(200);
  giveAddresses(t);
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

test("a name with several addresses of one family is warned of", async (t) => {
  await using server = await startMemcached();
  const told: ConnectionMessage[] = [];
  const note = (message: unknown): unknown => told.push(message as ConnectionMessage);
  subscribe("memwire:connection", note);
  t.after(() => unsubscribe("memwire:connection", note));
  const warnings = async (host: string): Promise<(string | undefined)[]> => {
    await using client = new Memcached(`${host}:${server.port}`, PATIENT);
    await client.get("k");
    return told.splice(0).filter(({ event }) => event === "ready").map(({ warning }) => warning);
  };
  // One machine has an address of each family, and is called "localhost".
  assert.deepEqual(await warnings("localhost"), [undefined]);
  assert.deepEqual(await warnings("127.0.0.1"), [undefined]);
  giveAddresses(t);
  assert.deepEqual(await warnings("localhost"), [undefined]);
  giveAddresses(t, [...ONE_OF_EACH, { address: "127.0.0.2", family: 4 }]);
  const [warning] = await warnings("localhost");
  // In Deno names are looked up by the runtime itself, and "localhost" is one machine.
  if ("deno" in process.versions) assert.equal(warning, undefined);
  else assert.match(warning ?? "", /its name has 2 addresses, of which one is used.*dns\(\)/);
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
