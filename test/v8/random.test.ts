/** Checks random values against themselves, and against node:v8 ("native") in both directions. */
import { strict as assert } from "node:assert";
import { test } from "node:test";
import { deserialize, serialize } from "../../src/v8/mod.ts";
import { RandomValues } from "./random.ts";
import { difference } from "./same.ts";
import { LONG, native, RANDOM_VALUES, SEED } from "./settings.ts";

test("random values come back as they were", LONG, () => {
  const values = new RandomValues(SEED);
  for (let i = 0; i < RANDOM_VALUES; i++) {
    const value = values.next();
    assert.equal(difference(deserialize(serialize(value)), value), undefined, `value ${i}`);
  }
});

// Bun has no oracle.
const oracle = native;
if (oracle !== undefined) {
  test(
    "native reads the random values that we write, and we read those that it writes",
    LONG,
    () => {
      const values = new RandomValues(SEED + 1);
      for (let i = 0; i < RANDOM_VALUES; i++) {
        const value = values.next();
        const stacks = { errorStacks: true };
        const theirs: unknown = oracle.deserialize(serialize(value, stacks));
        assert.equal(difference(theirs, value, true), undefined, `value ${i} to native`);
        const ours = deserialize(oracle.serialize(value));
        assert.equal(difference(ours, value, true), undefined, `value ${i} from native`);
      }
    },
  );
}

test("a random value that was read is written with the same bytes again", LONG, () => {
  const values = new RandomValues(SEED + 2);
  for (let i = 0; i < RANDOM_VALUES / 4; i++) {
    const bytes = serialize(values.next());
    assert.deepEqual(serialize(deserialize(bytes)), bytes, `value ${i}`);
  }
});
