/** Checks the corpus against itself, and against node:v8 ("native") in both directions. */
import { strict as assert } from "node:assert";
import { test } from "node:test";
import { deserialize, serialize } from "../../src/v8/mod.ts";
import { corpus, type Entry } from "./corpus.ts";
import { difference } from "./same.ts";
import { isNode20, native } from "./settings.ts";

function expected({ make, reads }: Entry): unknown {
  return (reads ?? make)();
}

function assertSame(actual: unknown, entry: Entry, stacks = false): void {
  assert.equal(difference(actual, expected(entry), stacks), undefined, entry.name);
}

test("the corpus has at least 200 values, each under a name of its own", () => {
  assert.ok(corpus.length >= 200, String(corpus.length));
  assert.equal(new Set(corpus.map(({ name }) => name)).size, corpus.length);
});

test("every value of the corpus comes back as it was", () => {
  for (const entry of corpus) assertSame(deserialize(serialize(entry.make())), entry);
});

// Bun has no oracle; there `pinned.test.ts` compares with bytes that Node wrote.
const oracle = native;
if (oracle !== undefined) {
  test("native reads what we write", () => {
    for (const entry of corpus) {
      if (isNode20 && entry.notInNode20) continue;
      assertSame(oracle.deserialize(serialize(entry.make())), entry);
    }
  });

  test("we read what native writes", () => {
    for (const entry of corpus) {
      assertSame(deserialize(oracle.serialize(entry.make())), entry, true);
    }
  });

  test("our bytes are native's, except where the corpus says why not", () => {
    for (const entry of corpus) {
      if (entry.bytesDiffer) continue;
      const theirs: Uint8Array = Uint8Array.from(oracle.serialize(entry.make()));
      assert.deepEqual(serialize(entry.make()), theirs, entry.name);
    }
  });
}

test("stacks are written if an option asks for it, and native reads them too", () => {
  for (const entry of corpus) {
    const bytes = serialize(entry.make(), { errorStacks: true });
    assertSame(deserialize(bytes), entry, true);
    if (native === undefined || isNode20 && entry.notInNode20) continue;
    assertSame(native.deserialize(bytes), entry, true);
  }
});
