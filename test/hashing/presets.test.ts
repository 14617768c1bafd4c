// Rules that hold for every preset, whichever client it follows.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Address } from "../../src/address.ts";
import type { HashingName, HashServer } from "../../src/hashing/hashing.ts";
import { digestsOf } from "../../src/hashing/ketama.ts";
import { presets } from "../../src/hashing/presets.ts";
import { Random } from "./random.ts";

const NAMES = Object.keys(presets) as HashingName[];
const BY_POSITION: readonly HashingName[] = [
  "python-memcached",
  "python-memcached-1.59",
  "modula",
  "memjs",
];
const BY_ID = NAMES.filter((name) => !BY_POSITION.includes(name));
const WITHOUT_WEIGHTS: readonly HashingName[] = ["modula", "memjs"];

const random = new Random(20);
const KEYS = [
  "__proto__",
  "constructor",
  "toString",
  "k".repeat(250),
  ...random.many(500, () => random.key()),
];

function equalServers(count: number): HashServer[] {
  return Array.from({ length: count }, (_, i) => ({ id: `10.0.${i >> 8}.${i & 255}`, weight: 1 }));
}

test("the presets are these and nothing else", () => {
  assert.deepEqual(NAMES.toSorted(), [
    "dalli",
    "hashring",
    "ketama",
    "memjs",
    "modula",
    "python-memcached",
    "python-memcached-1.59",
    "rendezvous",
    "spymemcached",
  ]);
  for (const name of ["constructor", "__proto__", "toString", ""]) {
    assert.equal(presets[name as HashingName], undefined);
  }
});

test("an address is written as the client writes it", () => {
  const tcp = (host: string, port: number): Address => ({ kind: "tcp", host, port });
  const addresses = [
    tcp("10.0.0.1", 11211),
    tcp("cache", 22122),
    tcp("::1", 11211),
    tcp("2001:db8::ff", 11212),
    { kind: "unix", path: "/run/m.sock" } as const,
  ];
  const libmemcached = ["10.0.0.1", "cache:22122", "::1", "2001:db8::ff:11212", "/run/m.sock:0"];
  const pythonMemcached = [
    "10.0.0.1:11211",
    "cache:22122",
    "inet6:[::1]:11211",
    "inet6:[2001:db8::ff]:11212",
    "unix:/run/m.sock",
  ];
  const plain = [
    "10.0.0.1:11211",
    "cache:22122",
    "::1:11211",
    "2001:db8::ff:11212",
    "/run/m.sock",
  ];
  const expected: Record<HashingName, readonly string[]> = {
    "ketama": libmemcached,
    "modula": libmemcached,
    "python-memcached": pythonMemcached,
    "python-memcached-1.59": pythonMemcached,
    "rendezvous": plain,
    "dalli": plain,
    "hashring": ["10.0.0.1", "cache:22122", "[::1]:11211", "[2001:db8::ff]:11212", "/run/m.sock"],
    "spymemcached": [
      "10.0.0.1:11211",
      "cache:22122",
      "[0:0:0:0:0:0:0:1]:11211",
      "[2001:db8:0:0:0:0:0:ff]:11212",
      "/run/m.sock",
    ],
    "memjs": [
      "10.0.0.1:11211",
      "cache:22122",
      "[::1]:11211",
      "[2001:db8::ff]:11212",
      "unix:/run/m.sock",
    ],
  };
  for (const name of NAMES) assert.deepEqual(addresses.map(presets[name].idOf), expected[name]);
});

test("spymemcached: IPv6 as Java 17 writes it", () => {
  const written: readonly (readonly [host: string, id: string])[] = [
    ["FE80:0::00a1", "[fe80:0:0:0:0:0:0:a1]:1"],
    ["::ffff:102:304", "1.2.3.4:1"],
    ["::ffff:1.2.3.4", "1.2.3.4:1"],
    ["::10.0.0.1", "[0:0:0:0:0:0:a00:1]:1"],
    ["1:2:3:4:5:6:7:8", "[1:2:3:4:5:6:7:8]:1"],
  ];
  for (const [host, id] of written) {
    assert.equal(presets.spymemcached.idOf({ kind: "tcp", host, port: 1 }), id);
  }
});

test("libmemcached counts points in float32", () => {
  // 40 is the average; a share like 1/25, rounded down, makes it 39 for every server.
  const counts = Array.from({ length: 60 }, (_, i) => i + 1);
  const uneven = counts.filter((count) => digestsOf(1, count, count) !== 40);
  assert.deepEqual(uneven, [25, 47, 50, 55]);
  assert.equal(digestsOf(1, 25, 25), 39);
});

for (const name of NAMES) {
  const { hashing } = presets[name];

  test(`${name}: no server is an error, one server has everything`, () => {
    assert.throws(() => hashing([]), RangeError);
    const selector = hashing([{ id: "a", weight: 65535 }]);
    for (const key of KEYS) {
      assert.equal(selector.pick(key), 0);
      assert.deepEqual([...selector.order(key)], [0]);
    }
  });

  test(`${name}: order has every server once, the key's first`, () => {
    for (let round = 0; round < 12; round++) {
      const count = random.integer(2, 40);
      const top = random.one([1, 1, 5, 65535]);
      const ids = random.integer(1, count); // with fewer ids than servers some ids appear twice
      const servers = random.many(count, (i) => ({
        id: `server-${i % ids}`,
        weight: random.integer(1, top),
      }));
      const selector = hashing(servers);
      for (const key of KEYS.slice(0, 60)) {
        const order = [...selector.order(key)];
        assert.equal(order[0], selector.pick(key));
        assert.deepEqual(order.toSorted((a, b) => a - b), servers.map((_, i) => i));
        assert.deepEqual([...selector.order(key)], order);
      }
    }
  });

  test(`${name}: an order is right even if a reader stops early or reads two at a time`, () => {
    const selector = hashing(equalServers(5));
    for (const key of KEYS.slice(0, 60)) {
      const [first, second] = selector.order(key);
      const other = selector.order("another key")[Symbol.iterator]();
      const order: number[] = [];
      for (const index of selector.order(key)) {
        other.next();
        order.push(index);
      }
      assert.deepEqual([first, second], order.slice(0, 2));
    }
  });

  test(`${name}: a thousand servers, of the greatest and of the smallest weights`, () => {
    for (const weightOf of [() => 65535, (i: number) => i === 500 ? 65535 : 1]) {
      const servers = equalServers(1000).map(({ id }, i) => ({ id, weight: weightOf(i) }));
      const selector = hashing(servers);
      for (const key of KEYS.slice(0, 20)) {
        const index = selector.pick(key);
        assert.ok(Number.isInteger(index) && index >= 0 && index < 1000);
        assert.equal(new Set(selector.order(key)).size, 1000);
      }
    }
  });

  test(`${name}: a server's share of the keys is proportional to its weight`, () => {
    const servers = equalServers(4).map(({ id }, i) => ({ id, weight: i + 1 }));
    const selector = hashing(servers);
    const counts = [0, 0, 0, 0];
    const total = 20_000;
    for (let i = 0; i < total; i++) {
      const index = selector.pick(`session:${i}`);
      counts[index] = counts[index] as number + 1;
    }
    servers.forEach(({ weight }, i) => {
      const share = WITHOUT_WEIGHTS.includes(name) ? 1 / 4 : weight / 10;
      const got = counts[i] as number / total;
      assert.ok(Math.abs(got - share) < 0.05, `server ${i}: ${got} of the keys, not ${share}`);
    });
  });
}

for (const name of BY_ID) {
  const { hashing } = presets[name];

  test(`${name}: a key belongs to an id, wherever that is in the list`, () => {
    const servers = equalServers(9).map(({ id }, i) => ({ id, weight: 1 + (i % 3) }));
    const turned = [...servers.slice(4), ...servers.slice(0, 4)].reverse();
    const [one, other] = [hashing(servers), hashing(turned)];
    for (const key of KEYS) {
      assert.equal(turned[other.pick(key)]?.id, servers[one.pick(key)]?.id, key);
    }
  });

  test(`${name}: a server that leaves takes only its own keys along`, () => {
    const servers = equalServers(10);
    const [before, after] = [hashing(servers), hashing(servers.slice(0, 9))];
    for (const key of KEYS) {
      const index = before.pick(key);
      if (index !== 9) assert.equal(after.pick(key), index, key);
    }
  });
}

for (const name of BY_POSITION) {
  test(`${name}: a key belongs to a place in the list, whatever the id`, () => {
    const servers = equalServers(9);
    const renamed = servers.map(({ weight }, i) => ({ id: `other-${i}`, weight }));
    const [one, other] = [presets[name].hashing(servers), presets[name].hashing(renamed)];
    for (const key of KEYS) assert.equal(other.pick(key), one.pick(key), key);
  });
}

test("python-memcached: a hash of 0 is 1 up to 1.59", () => {
  const servers = equalServers(3);
  const key = "k25"; // its CRC-32 is 0x6d81: nothing in the upper half
  assert.equal(presets["python-memcached"].hashing(servers).pick(key), 0);
  assert.equal(presets["python-memcached-1.59"].hashing(servers).pick(key), 1);
});
