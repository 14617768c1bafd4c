/**
 * The embedded server against memcached 1.6.18, byte for byte: over conversations made at random.
 *
 * `MEMWIRE_CONFORMANCE_SEED` and `MEMWIRE_CONFORMANCE_ROUNDS` (100 conversations each) choose others
 * and more. Where another version is installed, the two rounds in the recording of
 * conformance.test.ts stand in for these.
 */
import assert from "node:assert/strict";
import process from "node:process";
import { it } from "node:test";
import { compare, installedVersion, record, REFERENCE_VERSION } from "./recording.ts";
import { randomCases } from "./request_generator.ts";

const SEED = Number(process.env["MEMWIRE_CONFORMANCE_SEED"] ?? 1);
const ROUNDS = Number(process.env["MEMWIRE_CONFORMANCE_ROUNDS"] ?? 20);

const version = await installedVersion();

if (version === REFERENCE_VERSION) {
  it("answers random requests as memcached does", { timeout: 3_600_000 }, async () => {
    for (let seed = SEED; seed < SEED + ROUNDS; seed++) {
      const cases = randomCases(seed, 100);
      const differences = await compare(cases, await record(cases, true));
      const [first = ""] = differences;
      const where = `${differences.length} differ with MEMWIRE_CONFORMANCE_SEED=${seed}`;
      assert.equal(first, "", `${where}, the first:\n${first}`);
    }
  });
}
