// The rule for a ttl, at every edge.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { toExptime } from "../../src/protocol/exptime.ts";
import { checkRefused } from "./argument_errors.ts";

const DAY = 86_400;
const NOW_SECONDS = 1_800_000_000;
const NOW = NOW_SECONDS * 1000 + 999;

describe("a ttl", () => {
  test("of 0 or Infinity never expires", () => {
    for (const ttl of [0, -0, Infinity]) assert.equal(Object.is(toExptime(ttl, NOW), 0), true);
  });

  test("is seconds, rounded up", () => {
    for (
      const [ttl, exptime] of [
        [1, 1],
        [0.005, 1],
        [Number.MIN_VALUE, 1],
        [1.0001, 2],
        [59.5, 60],
        [60, 60],
        [2_591_999.5, 2_592_000],
        [2_592_000, 2_592_000],
      ] as const
    ) assert.equal(toExptime(ttl, NOW), exptime);
  });

  test("of more than 30 days becomes an absolute time", () => {
    for (const ttl of [2_592_001, 31 * DAY, 365 * DAY]) {
      assert.equal(toExptime(ttl, NOW), NOW_SECONDS + ttl);
    }
    assert.equal(toExptime(2_592_000.5, NOW), NOW_SECONDS + 2_592_001);
    // By the machine's clock, if no time is given.
    const before = Math.floor(Date.now() / 1000);
    const exptime = toExptime(31 * DAY);
    const after = Math.floor(Date.now() / 1000);
    assert.ok(exptime >= before + 31 * DAY && exptime <= after + 31 * DAY);
  });

  test("ends before 2038, where memcached's 31 bits end", () => {
    const most = 2 ** 31 - 1 - NOW_SECONDS;
    assert.equal(toExptime(most, NOW), 2 ** 31 - 1);
    for (const ttl of [most + 1, Date.now(), NOW, 2 ** 31, 2 ** 53, Number.MAX_VALUE]) {
      checkRefused(() => toExptime(ttl, NOW), RangeError, /seconds, not milliseconds/);
    }
  });

  test("is not negative and not NaN", () => {
    for (const ttl of [-1, -0.001, -Infinity, NaN]) {
      checkRefused(() => toExptime(ttl, NOW), RangeError, /^ttl must be 0 or more/);
    }
  });

  test("is a number", () => {
    for (
      const [ttl, kind] of [
        [undefined, "undefined"],
        [null, "null"],
        ["60", "a string"],
        [60n, "a bigint"],
        [new Date(), "a Date"],
        [true, "a boolean"],
      ]
    ) checkRefused(() => toExptime(ttl, NOW), TypeError, new RegExp(`seconds, not ${kind}$`));
    checkRefused(() => toExptime("60", NOW, "delay"), TypeError, /^delay must/);
  });
});
