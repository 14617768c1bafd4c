/**
 * Compares the embedded server with memcached 1.6.18, byte for byte, over random conversations.
 *
 * `MEMWIRE_CONFORMANCE_SEED` chooses other conversations, `MEMWIRE_CONFORMANCE_ROUNDS` how many rounds of 100.
 * If another version is installed, the two recorded rounds of conformance.test.ts replace these.
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
