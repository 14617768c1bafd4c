/**
 * Reads random streams of replies, right and spoiled, in random pieces. No caller may get a value of another key.
 * `MEMWIRE_FUZZ=20` makes twenty times as many; `MEMWIRE_SEED` repeats a run.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import process from "node:process";
import { test } from "node:test";
import { feed, type Outcome } from "../protocol/feeding.ts";
import { type Exchange, ownerOf, ReplyGenerator } from "./reply_generator.ts";

const SEED = Number(process.env["MEMWIRE_SEED"] ?? Date.now() % 2 ** 31);
const COUNT = 20_000 * Number(process.env["MEMWIRE_FUZZ"] ?? 1);

/** The values that the reader reported, each with the key that it was reported for. */
function valuesOf({ asked }: Exchange, { told }: Outcome): { key: string; value: string }[] {
  const values: { key: string; value: string }[] = [];
  for (const { of, kind, value, index } of told) {
    if (kind !== "value" || value === undefined) continue;
    const { key, keys } = asked[of as number] as Exchange["asked"][number];
    const own = keys === undefined || keys === null ? key : keys[index as number];
    values.push({ key: Buffer.from(own as string).toString("latin1"), value });
  }
  return values;
}

test(`${COUNT} streams, seed ${SEED}`, () => {
  const kinds = new Map<string, number>();
  for (let i = 0; i < COUNT; i++) {
    const generator = new ReplyGenerator(SEED + i);
    const exchange = generator.exchange();
    const fault = generator.fault(exchange);
    const pieces = generator.cut(Buffer.from(fault.bytes, "latin1"));
    const context = `MEMWIRE_SEED=${SEED + i}: ${exchange.dialect}, ${fault.kind}: ` +
      JSON.stringify([exchange.asked, fault.bytes.slice(0, 2_000)]);
    let outcome: Outcome;
    try {
      outcome = feed(exchange.dialect, exchange.asked, pieces);
    } catch (error) {
      throw new Error(context, { cause: error });
    }
    const values = valuesOf(exchange, outcome);
    for (const { key, value } of values) {
      const owner = ownerOf(value);
      // A damaged value belongs to no key; there is none if whole replies were moved.
      if (owner === key || (owner === undefined && !fault.whole)) continue;
      assert.fail(`${context}: ${JSON.stringify(value.slice(0, 300))} told for ${key}`);
    }
    if (fault.kind === "none") {
      assert.equal(outcome.inStep, true, context);
      assert.equal(outcome.waiting, 0, context);
      assert.deepEqual(values.map(({ value }) => value), exchange.values, context);
    } else if (!outcome.inStep || outcome.waiting > 0) {
      kinds.set(fault.kind, (kinds.get(fault.kind) ?? 0) + 1);
    }
  }
  // Most faults of each kind must have been noticed, or the generator does not do what it says.
  for (const kind of ["a reply is missing", "a stranger's reply", "a bit", "bytes left out"]) {
    assert.ok((kinds.get(kind) ?? 0) > COUNT / 160, `${kind}: ${kinds.get(kind)} of ${COUNT}`);
  }
});
