import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { asJson, copyJson, isSameJson } from "../../src/adapters/json_fields.ts";

const PLAIN: readonly unknown[] = [
  null,
  true,
  0,
  -1.5,
  "",
  "text",
  [],
  {},
  [1, [2, { a: null }]],
  { a: { b: [{}, "c"] }, d: false },
  JSON.parse('{"__proto__": {"a": 1}, "constructor": 2}'),
];

describe("data as JSON has it", () => {
  test("a copy is the same, and its own", () => {
    for (const value of PLAIN) {
      const copy = copyJson(value);
      assert.deepEqual(copy, value);
      assert.ok(isSameJson(copy, value) && isSameJson(value, copy));
      if (typeof value === "object" && value !== null) assert.notEqual(copy, value);
    }
    const nested = { list: [{ n: 1 }] };
    (copyJson(nested) as typeof nested).list[0] = { n: 2 };
    assert.deepEqual(nested, { list: [{ n: 1 }] });
  });

  test("of what is no JSON the copy is what JSON makes of it", () => {
    assert.equal(copyJson(new Date(0)), new Date(0).toJSON());
    assert.deepEqual(copyJson({ map: new Map([[1, 2]]) }), { map: {} });
  });

  test("different data is never the same", () => {
    for (const [i, one] of PLAIN.entries()) {
      for (const [j, other] of PLAIN.entries()) assert.equal(isSameJson(one, other), i === j);
    }
    const pairs: [unknown, unknown][] = [
      [{ a: undefined }, {}],
      [{ a: undefined }, { b: undefined }],
      [{ a: 1 }, { a: 1, b: 2 }],
      [[1], { 0: 1 }],
      [[1, 2], [1]],
      [undefined, null],
      [new Date(0), new Date(0).toJSON()], // must be asked of JSON
    ];
    for (const [value, stored] of pairs) assert.equal(isSameJson(value, stored), false);
  });

  test("asJson is what JSON.stringify writes", () => {
    const value = { at: new Date(0), f: () => 1, list: [undefined], n: NaN, s: "x" };
    assert.deepEqual(asJson(value), JSON.parse(JSON.stringify(value)));
    assert.equal(asJson(() => 1), undefined);
    assert.equal(asJson("x"), "x");
    assert.throws(() => asJson(1n), TypeError);
    const cycle: { self?: unknown } = {};
    cycle.self = cycle;
    assert.throws(() => asJson(cycle), TypeError);
    assert.equal(isSameJson(cycle, { self: { self: {} } }), false);
  });
});
