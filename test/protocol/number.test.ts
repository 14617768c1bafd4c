// The rules for counters and cas tokens, at every edge.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { checkCas, checkUint64 } from "../../src/protocol/number.ts";
import { checkRefused } from "./argument_errors.ts";

describe("a delta or an initial value", () => {
  test("is from 0 to 2^64 - 1", () => {
    for (
      const [value, digits] of [
        [0, "0"],
        [-0, "0"],
        [1, "1"],
        [2 ** 53 - 1, "9007199254740991"],
        [0n, "0"],
        [2n ** 53n, "9007199254740992"],
        [2n ** 64n - 1n, "18446744073709551615"],
      ] as const
    ) assert.equal(checkUint64(value, "delta"), digits);
  });

  test("beyond is refused", () => {
    for (const value of [-1, 1.5, 2 ** 53, 1e21, Infinity, NaN, -1n, 2n ** 64n, 2n ** 80n]) {
      checkRefused(() => checkUint64(value, "delta"), RangeError, /^delta must be .*0 to 2\^/);
    }
    for (const value of [undefined, null, "1", true, {}, []]) {
      checkRefused(() => checkUint64(value, "initial"), TypeError, /^initial must be a number/);
    }
  });
});

describe("a cas token", () => {
  test("is a bigint from 0 to 2^64 - 1", () => {
    for (const cas of [0n, 1n, 2n ** 53n + 1n, 2n ** 64n - 1n]) {
      assert.equal(checkCas(cas), cas.toString());
    }
    for (const cas of [-1n, 2n ** 64n]) {
      checkRefused(() => checkCas(cas), RangeError, /0 to 2\^64/);
    }
    for (const cas of [undefined, null, 1, "1", {}]) {
      checkRefused(() => checkCas(cas), TypeError, /bigint/);
    }
  });
});
