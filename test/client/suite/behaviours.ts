/** Everything that `Memcached` does: one suite for every way to reach a server and every dialect. */
import { after, before, describe } from "node:test";
import { calls } from "./calls.ts";
import { closing } from "./closing.ts";
import { counting } from "./counting.ts";
import { fetching } from "./fetching.ts";
import { foreignValues } from "./foreign_values.ts";
import { locking } from "./locking.ts";
import { many } from "./many.ts";
import { ownBytes } from "./own_bytes.ts";
import { reading } from "./reading.ts";
import { running } from "./running.ts";
import { type Part, type Protocol, Stage, type Way } from "./stage.ts";
import { storing } from "./storing.ts";
import { updating } from "./updating.ts";
import { values } from "./values.ts";

const PROTOCOLS: readonly Protocol[] = ["meta", "classic", "auto"];

const PARTS: readonly Part[] = [
  reading,
  storing,
  counting,
  many,
  values,
  foreignValues,
  ownBytes,
  updating,
  fetching,
  locking,
  calls,
  running,
  closing,
];

/** For a way that makes no difference to the dialect. `auto` is meta after one more line. */
export const BOTH_DIALECTS: readonly Protocol[] = ["auto", "classic"];

/** Declares the suite's tests for this way, in each dialect, or only the parts and dialects that are named. */
export function behaviours(
  way: Way,
  protocols: readonly Protocol[] = PROTOCOLS,
  parts: readonly Part[] = PARTS,
): void {
  for (const protocol of protocols) {
    describe(`${way.name}, protocol "${protocol}"`, () => {
      let stage: Stage;
      before(async () => {
        stage = await Stage.open(way, protocol);
      });
      after(() => stage.close());
      for (const part of parts) part(() => stage);
    });
  }
}
