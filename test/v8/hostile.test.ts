/** Hostile bytes always give a typed error or a value, in bounded time and memory. */
import { strict as assert } from "node:assert";
import { spawnSync } from "node:child_process";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { CorruptValueError } from "../../src/errors.ts";
import { deserialize, serialize } from "../../src/v8/mod.ts";
import { bombs, megabytes, varint } from "./bombs.ts";
import { corpus } from "./corpus.ts";
import type { Outcome } from "./hostile_child.ts";
import { Random } from "./random.ts";
import { LONG, MUTATIONS, SEED } from "./settings.ts";

const MAX_MS = 50;
const MAX_MB = 64;
/** The limit for 1 MB of values of a byte or two each: that takes any reader some time, but in proportion. */
const MAX_MS_PER_MEGABYTE = 1000;

/** The command for this runtime, with a heap of 128 MB if the runtime has such an option. */
function command(): readonly string[] {
  if ("Deno" in globalThis) {
    return ["run", "-A", "--no-check", "--v8-flags=--max-old-space-size=128"];
  }
  if ("Bun" in globalThis) return [];
  return [
    ...process.execArgv.filter((argument) => !argument.startsWith("--test")),
    "--max-old-space-size=128",
  ];
}

function outcomes(): readonly Outcome[] {
  const script = fileURLToPath(new URL("./hostile_child.ts", import.meta.url));
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, [...command(), script], {
    encoding: "utf8",
    timeout: 60_000,
  });
  const lines = stdout.trim().split("\n");
  assert.equal(signal ?? status, 0, `${stderr}\nafter ${lines.at(-1)}`);
  return lines.map((line) => JSON.parse(line) as Outcome);
}

test("no bomb takes 50 ms or 64 MB, under a heap limit", LONG, () => {
  const all = outcomes();
  assert.equal(all.length, Object.keys({ ...bombs, ...megabytes }).length);
  for (const outcome of all) {
    const limit = outcome.name in megabytes ? MAX_MS_PER_MEGABYTE : MAX_MS;
    const line = JSON.stringify(outcome);
    assert.ok(outcome.ms < limit && outcome.mb < MAX_MB, line);
    assert.ok(["value", "CORRUPT_VALUE"].includes(outcome.result), line);
  }
});

/** Bytes that mean something in the format, to be put where they mean something else. */
const TELLING = [..."_0TFINZ\"cSoAa^DnyxzsR;'rB~\\V?{$@:,.-tuwmp"].map((tag) => tag.charCodeAt(0));

function mutate(bytes: Uint8Array, others: readonly Uint8Array[], random: Random): Uint8Array {
  const at = 2 + random.below(bytes.length - 2);
  const copy = Uint8Array.from(bytes);
  const splice = (start: number, skip: number, insert: ArrayLike<number>): Uint8Array =>
    Uint8Array.of(
      ...copy.subarray(0, start),
      ...Array.from(insert),
      ...copy.subarray(start + skip),
    );
  switch (random.below(8)) {
    case 0:
      return copy.subarray(0, at);
    case 1:
      copy[at] = (copy[at] as number) ^ (1 << random.below(8));
      return copy;
    case 2:
      copy[at] = random.of(TELLING);
      return copy;
    case 3:
      return splice(at, random.below(3), [0xff, 0xff, 0xff, 0xff, 0x0f]);
    case 4:
      return splice(
        at,
        random.below(3),
        varint(random.of([0, 1, 1e3, 1e5, 1.6e7, 2 ** 31, 2 ** 32 - 1])),
      );
    case 5:
      return splice(at, random.below(9), random.of(others).subarray(2));
    case 6:
      return splice(at, 0, copy.subarray(2 + random.below(bytes.length - 2)));
    default:
      return splice(at, 1 + random.below(8), []);
  }
}

/** The time of the processor that it takes, because others may have it meanwhile. */
function milliseconds(work: () => void): number {
  const start = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
}

test("mutated values are read or refused with a typed error, in bounded time", LONG, () => {
  const values = corpus.map(({ make }) => serialize(make())).filter(({ length }) => length < 3000);
  const random = new Random(SEED);
  const read = (bytes: Uint8Array): "value" | "refused" => {
    try {
      serialize(deserialize(bytes)); // whatever was read can be written
      return "value";
    } catch (error) {
      const { code } = error as { code?: string };
      assert.ok(error instanceof CorruptValueError || code === "SERIALIZATION", String(error));
      return "refused";
    }
  };
  const results = { value: 0, refused: 0 };
  for (let i = 0; i < MUTATIONS; i++) {
    let bytes: Uint8Array = random.of(values);
    for (let left = 1 + random.below(3); left > 0 && bytes.length > 3; left--) {
      bytes = mutate(bytes, values, random);
    }
    const once = (): number => milliseconds(() => results[read(bytes)]++);
    assert.ok(once() < MAX_MS || Math.min(once(), once(), once()) < MAX_MS, `mutation ${i}`);
  }
  assert.ok(
    results.value > MUTATIONS / 20 && results.refused > MUTATIONS / 3,
    JSON.stringify(results),
  );
});

test("bytes that no writer writes are refused", LONG, () => {
  const valid =
    /^(1000? sparse|100 sparse|1,107|a sparse array of|sparse arrays with|a bigint of 1 MB)|^(10 of|2 KB of|a million object)|^nested/;
  const refused = Object.keys(bombs).filter((name) => !valid.test(name));
  assert.ok(refused.length > 60, String(refused.length));
  for (const name of refused) {
    assert.throws(() => deserialize(bombs[name] as Uint8Array), { code: "CORRUPT_VALUE" }, name);
  }
});

test("an error names neither the bytes nor the value", () => {
  const bytes = serialize({ password: "hunter2" });
  for (let end = 0; end < bytes.length; end++) {
    assert.throws(() => deserialize(bytes.subarray(0, end)), (error: Error) => {
      assert.ok(error instanceof CorruptValueError && error.flags === 256);
      assert.doesNotMatch(`${error.message} ${error.cause}`, /hunter|password/);
      return true;
    });
  }
});

test("Bun's own format is named in the error", () => {
  for (const name of ["Bun's own format", "Bun's own format of a Buffer"]) {
    assert.throws(() => deserialize(bombs[name] as Uint8Array), /Bun's own node:v8/);
  }
  const v13 = Uint8Array.of(0x0d, 0, 0, 0, 5);
  assert.throws(() => deserialize(v13), /Bun's own node:v8/);
});
