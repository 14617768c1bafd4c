/** Some hundreds of values of each kind, made from a random seed that differs in each run. */
import { Random } from "../hashing/random.ts";

const CHARACTERS = [..."abc 0129{}[]\"\\'\t\r\n\0ÿé€日😀\u{10ffff}\ufffd"];

/** The samples of one run. */
export class Samples {
  readonly random: Random = new Random();

  /** Texts of up to 20,000 characters, and texts that other formats could take for something else. */
  texts(count: number): string[] {
    const fixed = [
      "",
      "0",
      "12",
      "-5",
      "1.5",
      "true",
      "null",
      "{}",
      '{"a":1}',
      "a\r\nEND\r\n",
      "\\\r",
    ];
    const lengths = [1, 2, 5, 20, 99, 100, 101, 500, 4000, 20_000];
    return [
      ...fixed,
      ...this.random.many(count - fixed.length, (i) => {
        const length = lengths[i % lengths.length]!;
        // Half of them repeat themselves, so that they can be compressed.
        const part = this.random.many(i % 2 === 0 ? length : 7, () => this.random.one(CHARACTERS));
        return part.join("").repeat(Math.ceil(length / part.length)).slice(0, length)
          .replace(/^[\udc00-\udfff]|[\ud800-\udbff]$/g, "");
      }),
    ];
  }

  /** Bytes that are not UTF-8. */
  bytes(count: number): Uint8Array[] {
    const all = Uint8Array.from({ length: 256 }, (_, i) => i);
    const lengths = [1, 10, 100, 1000, 5000];
    return [
      all,
      ...this.random.many(count - 1, (i) => {
        const bytes = Uint8Array.from(
          { length: lengths[i % lengths.length]! },
          () => i % 2 === 0 ? this.random.integer(0, 255) : 0,
        );
        bytes[0] = 0xff;
        return bytes;
      }),
    ];
  }

  /** Integers that are exact. */
  integers(count: number): number[] {
    const edges = [7, 8, 15, 16, 31, 32, 48, 52].flatMap((bits) => {
      const power = 2 ** bits;
      return [power - 1, power, power + 1, -power, -power - 1];
    });
    const fixed = [0, 1, -1, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, ...edges];
    const some = this.random.many(Math.max(0, count - fixed.length), (i) => {
      const size = 2 ** (i % 21);
      return this.random.integer(-size, size) * this.random.one([1, 1000, 2 ** 20]);
    });
    // Integers have no -0.
    return [...fixed, ...some].map((n) => n + 0);
  }

  /** Numbers of all magnitudes that are not integers. */
  doubles(count: number): number[] {
    const fixed = [
      0.1,
      -0.5,
      1e22,
      1.7976931348623157e308,
      5e-324,
      2.2250738585072014e-308,
      2 ** 60,
    ];
    const some = this.random.many(
      count - fixed.length,
      () => (this.random.integer(1, 2 ** 31) + 1 / 3) * 10 ** this.random.integer(-300, 290),
    );
    return [...fixed, ...some.filter((number) => !Number.isSafeInteger(number))];
  }

  /** Text of 100 KiB that repeats itself after 30 KiB, so that compressed references go far back. */
  large(): string {
    const part = this.random.many(30_000, () => this.random.one(CHARACTERS)).join("");
    return part.repeat(4).slice(0, 100 * 1024).replace(/[\ud800-\udbff]$/, "");
  }

  /** Values of JSON: objects and arrays. */
  structures(count: number): unknown[] {
    return [
      {},
      [],
      [[], {}],
      ...this.random.many(count - 3, () => ({
        list: this.random.many(this.random.integer(0, 20), () => this.#scalar()),
        nested: { deep: [{ er: this.#scalar() }], "ké": null },
      })),
    ];
  }

  #scalar(): unknown {
    return this.random.one<() => unknown>([
      () => this.random.integer(-1_000_000, 1_000_000),
      () => this.random.integer(1, 1000) / 8,
      () => this.random.one([true, false, null]),
      () =>
        this.random.many(this.random.integer(0, 30), () => this.random.one(CHARACTERS)).join(""),
    ])();
  }
}
