// The rule for keys, at every edge.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { checkKey, checkPrefix } from "../../src/protocol/key.ts";
import { checkRefused } from "./argument_errors.ts";

describe("a key", () => {
  test("is text of 1 to 250 bytes", () => {
    for (
      const key of [
        "a",
        "!",
        "~",
        "0",
        "k".repeat(250),
        "é".repeat(125),
        "a".repeat(248) + "é",
        "€".repeat(83) + "a",
        "😀".repeat(62) + "ab",
        "\u0080",
        "\u00a0",
        "\u2028",
        "\ufeff",
        "\uffff",
        "__proto__",
        "constructor",
        "a$$b",
        "$&",
        "get",
        "noreply2",
        "NOREPLY",
      ]
    ) assert.equal(checkKey(key, ""), key);
  });

  test("of more bytes is refused, with their number", () => {
    for (
      const [key, bytes] of [
        ["k".repeat(251), 251],
        ["é".repeat(126), 252],
        ["a" + "é".repeat(125), 251],
        ["€".repeat(84), 252],
        ["😀".repeat(63), 252],
        ["k".repeat(1_000_000), 1_000_000],
      ] as const
    ) checkRefused(() => checkKey(key, ""), TypeError, new RegExp(`at most 250.* ${bytes}$`), key);
  });

  test("is not empty, whatever the prefix", () => {
    checkRefused(() => checkKey("", ""), TypeError, /empty/);
    checkRefused(() => checkKey("", "app:"), TypeError, /empty/);
  });

  test("holds no space and no control character", () => {
    for (const code of [...Array(0x21).keys(), 0x7f]) {
      const character = String.fromCharCode(code);
      for (const key of [character, `${character}ab`, `a${character}b`, `ab${character}`]) {
        const at = key.indexOf(character);
        checkRefused(
          () => checkKey(key, ""),
          TypeError,
          new RegExp(`control character.*position ${at}$`),
        );
      }
    }
    const injected = "a\r\nset b 0 0 1\r\nx";
    checkRefused(() => checkKey(injected, ""), TypeError, /position 1$/, "set b");
    // A character beyond ASCII in front must not hide it.
    checkRefused(() => checkKey("é\n", ""), TypeError, /position 1$/);
  });

  test("holds no half of a surrogate pair", () => {
    for (const key of ["\ud83d", "\ude00", "a\ud83d", "\ude00\ud83d", "\ud83da", "a\udfff"]) {
      checkRefused(() => checkKey(key, ""), TypeError, /surrogate.*position \d+$/);
    }
  });

  test("is not the word noreply, by itself or with the prefix", () => {
    checkRefused(() => checkKey("noreply", ""), TypeError, /refused/);
    checkRefused(() => checkKey("reply", "no"), TypeError, /refused/);
    assert.equal(checkKey("noreply", "app:"), "app:noreply");
  });

  test("is a string", () => {
    for (
      const [key, kind] of [
        [undefined, "undefined"],
        [null, "null"],
        [1, "a number"],
        [1n, "a bigint"],
        [Symbol("secret"), "a symbol"],
        [["a"], "an array"],
        [{ toString: (): string => "a" }, "an object"],
        [new String("a"), "a String"],
        [new Uint8Array(1), "a Uint8Array"],
      ]
    ) checkRefused(() => checkKey(key, "p:"), TypeError, new RegExp(`string, not ${String(kind)}`));
  });

  test("counts with its prefix", () => {
    assert.equal(checkKey("k".repeat(246), "app:"), `app:${"k".repeat(246)}`);
    checkRefused(() => checkKey("k".repeat(247), "app:"), TypeError, / 251$/);
    assert.equal(checkKey("k".repeat(248), "é"), `é${"k".repeat(248)}`);
    checkRefused(() => checkKey("k".repeat(249), "é"), TypeError, / 251$/);
    // Two halves of a pair that meet at the prefix are legal.
    assert.equal(checkKey("\ude00", "\ud83d"), "😀");
  });
});

describe("a prefix", () => {
  test("leaves room for a key of one byte", () => {
    for (const prefix of ["", "app:", "p".repeat(249), "é".repeat(124)]) {
      assert.equal(checkPrefix(prefix, "prefix"), prefix);
    }
    for (const prefix of ["p".repeat(250), "é".repeat(125)]) {
      checkRefused(() => checkPrefix(prefix, "prefix"), TypeError, /prefix has 250 bytes/, prefix);
    }
  });

  test("holds what a key may hold", () => {
    for (const prefix of ["a b", "a\n", "\x00", "\x7f", "\ud83d"]) {
      checkRefused(() => checkPrefix(prefix, "namespace"), TypeError, /namespace.*position \d/);
    }
    checkRefused(() => checkPrefix(null, "prefix"), TypeError, /string, not null/);
  });
});
