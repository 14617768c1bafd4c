import assert from "node:assert/strict";
import { test } from "node:test";
import { Continuum, type Ties } from "../../src/hashing/continuum.ts";
import { Random } from "./random.ts";

const TOP = 0xffffffff;

type Point = readonly [value: number, server: number];

function continuumOf(servers: number, points: readonly Point[], ties?: Ties): Continuum {
  return new Continuum(
    servers,
    (add) => points.forEach(([value, server]) => add(value, server)),
    ties,
  );
}

/** Finds the owner by looking at every point. */
function slowAfter(points: readonly Point[], hash: number): number {
  const sorted = points.toSorted((a, b) => a[0] - b[0] || a[1] - b[1]);
  return (sorted.find(([value]) => value >= hash) ?? sorted[0] as Point)[1];
}

function slowBefore(points: readonly Point[], hash: number): number {
  const sorted = points.toSorted((a, b) => b[0] - a[0] || b[1] - a[1]);
  return (sorted.find(([value]) => value <= hash) ?? sorted[0] as Point)[1];
}

test("finds the first point at or after and the last at or before a hash", () => {
  const random = new Random();
  for (let round = 0; round < 60; round++) {
    const count = random.one([1, 2, 3, 10, 200, 3000]);
    const span = random.one([5, 70000, TOP]);
    const base = random.one([0, TOP - span]);
    const points = random.many(count, (i): Point => [base + random.integer(0, span), i % 7]);
    const ring = continuumOf(7, points);
    const near = points.slice(0, 20).flatMap(([value]) => [value - 1, value, value + 1]);
    const hashes = [0, 1, TOP - 1, TOP, ...near, ...random.many(20, () => random.integer(0, TOP))];
    for (const hash of hashes.filter((hash) => hash >= 0 && hash <= TOP)) {
      const at = `seed ${random.seed}, round ${round}, hash ${hash}`;
      assert.equal(ring.ownerOf(ring.atOrAfter(hash)), slowAfter(points, hash), at);
      assert.equal(ring.ownerOf(ring.atOrBefore(hash)), slowBefore(points, hash), at);
    }
  }
});

test("goes round past the last point and before the first", () => {
  const ring = continuumOf(2, [[100, 0], [200, 1]]);
  assert.equal(ring.ownerOf(ring.atOrAfter(201)), 0);
  assert.equal(ring.ownerOf(ring.atOrBefore(99)), 1);
});

test("a shared point belongs to the first server, or to the last", () => {
  const points: Point[] = [[100, 2], [100, 1], [300, 0]];
  const first = continuumOf(3, points);
  assert.equal(first.ownerOf(first.atOrAfter(50)), 1);
  const last = continuumOf(3, points, "last");
  assert.equal(last.ownerOf(last.atOrAfter(50)), 2);
  assert.equal(last.ownerOf(last.atOrAfter(101)), 0);
});

test("walks distinct servers round the ring and ends", () => {
  const ring = continuumOf(5, [[10, 3], [20, 3], [30, 0], [40, 3], [50, 1]]);
  assert.deepEqual([...ring.walk(ring.atOrAfter(15))], [3, 0, 1]);
  assert.deepEqual([...ring.walk(ring.atOrAfter(45))], [1, 3, 0]);
});
