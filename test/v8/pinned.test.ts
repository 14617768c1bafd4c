/** Bytes that Node 20 and Node 24 wrote. They are the oracle for Bun, and show if a later Node changes. */
import { strict as assert } from "node:assert";
import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { deserialize, serialize } from "../../src/v8/mod.ts";
import { corpus } from "./corpus.ts";
import { misread, type Written } from "./matrix.ts";

function pinned(name: string): Record<string, string> {
  const text = readFileSync(new URL(`./pinned/${name}.json`, import.meta.url), "utf8");
  return (JSON.parse(text) as Written).native ?? {};
}

for (const name of ["node20", "node24"]) {
  test(`what ${name} wrote is read as it was`, () => {
    const values = Object.entries(pinned(name));
    assert.ok(values.length > 250, String(values.length));
    const faults = values.map(([name, bytes]) => misread(name, bytes, deserialize));
    assert.deepEqual(faults.filter((fault) => fault !== undefined), []);
  });
}

test("our bytes are those that Node 24 wrote, except where the corpus says why not", () => {
  let compared = 0;
  const values = pinned("node24");
  for (const { name, make, bytesDiffer } of corpus) {
    if (bytesDiffer !== undefined || values[name] === undefined) continue;
    assert.equal(Buffer.from(serialize(make())).toString("hex"), values[name], name);
    compared++;
  }
  assert.ok(compared > 220, String(compared));
});
