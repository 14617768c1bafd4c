// Compares with the recorded answers of the real clients; see vectors/README.md.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { Address } from "../../src/address.ts";
import type { HashingName, HashServer } from "../../src/hashing/hashing.ts";
import { presets } from "../../src/hashing/presets.ts";

interface Vector {
  readonly key: string;
  readonly server: number;
  /** The tries of a key when servers are dead. */
  readonly probes?: readonly number[];
  /** Servers around the ring. */
  readonly range?: readonly number[];
}

interface NamedServer {
  readonly host?: string;
  readonly port?: number;
  readonly path?: string;
  readonly address?: string;
  readonly weight: number;
  /** What the client calls it. */
  readonly name?: string;
}

interface Single {
  readonly config: { readonly servers: readonly (string | NamedServer)[] };
  readonly vectors: readonly Vector[];
}

interface Mixed {
  readonly configs: readonly {
    readonly name: string;
    readonly servers: readonly NamedServer[];
    readonly tries: readonly string[];
  }[];
}

function read<T>(file: string): T {
  return JSON.parse(readFileSync(new URL(`./vectors/${file}.json`, import.meta.url), "utf8")) as T;
}

function addressOf({ host, port, path }: NamedServer): Address {
  return path === undefined
    ? { kind: "tcp", host: host as string, port: port as number }
    : { kind: "unix", path };
}

/** Returns the client's own name if the file has one, otherwise the name that the preset makes of the address. */
function serverOf(preset: HashingName, server: string | NamedServer): HashServer {
  if (typeof server === "string") return { id: server, weight: 1 };
  const { name, address, weight } = server;
  return { id: name ?? address ?? presets[preset].idOf(addressOf(server)), weight };
}

const SINGLE: readonly (readonly [file: string, preset: HashingName])[] = [
  ["libmemcached_ketama_weighted", "ketama"],
  ["libmemcached_ketama_weighted_1_2_3", "ketama"],
  ["nutcracker_ketama_md5_names", "ketama"],
  ["libmemcached_default_modula", "modula"],
  ["pymemcache_rendezvous_equal3", "rendezvous"],
  ["dalli_ring_equal3", "dalli"],
  ["node-hashring_node_memcached_equal3", "hashring"],
  ["python-memcached_1.59_weighted_1_2_3", "python-memcached-1.59"],
  ["python-memcached_1.60_equal3", "python-memcached"],
];

/** Keys for which npm hashring wrongly answers from its cache's prototype; its `range` is right. */
const HASHRING_WRONG = ["__proto__", "constructor", "toString"];

for (const [file, preset] of SINGLE) {
  test(`${preset} reproduces ${file}`, () => {
    const { config, vectors } = read<Single>(file);
    assert.equal(vectors.length, 200);
    const selector = presets[preset].hashing(config.servers.map((s) => serverOf(preset, s)));
    for (const { key, server, probes, range } of vectors) {
      const wrong = preset === "hashring" && HASHRING_WRONG.includes(key);
      assert.equal(selector.pick(key), wrong ? range?.[0] : server, key);
      const expected = [...new Set(probes ?? range ?? [server])];
      assert.deepEqual([...selector.order(key)].slice(0, expected.length), expected, key);
    }
  });
}

const MIXED: readonly (readonly [file: string, preset: HashingName])[] = [
  ["python-memcached_1.60_mixed", "python-memcached"],
  ["dalli_mixed", "dalli"],
  ["hashring_npm_memcached_mixed", "hashring"],
  ["spymemcached_mixed", "spymemcached"],
  ["memjs_mixed", "memjs"],
];

for (const [file, preset] of MIXED) {
  for (const { name, servers, tries } of read<Mixed>(file).configs) {
    test(`${preset} reproduces ${file}, ${name}`, () => {
      const keys = read<string[]>("mixed_keys");
      assert.equal(keys.length, tries.length);
      const ids = servers.map((server) => presets[preset].idOf(addressOf(server)));
      servers.forEach((server, i) => assert.equal(ids[i], server.name ?? ids[i]));
      const selector = presets[preset].hashing(
        servers.map(({ weight }, i) => ({ id: ids[i] as string, weight })),
      );
      keys.forEach((key, i) => {
        const asked = [...tries[i] as string].map((digit) => parseInt(digit, 36));
        const expected = [...new Set(asked)];
        assert.equal(selector.pick(key), expected[0], key);
        assert.deepEqual([...selector.order(key)].slice(0, expected.length), expected, key);
      });
    });
  }
}
