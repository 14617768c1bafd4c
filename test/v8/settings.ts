/** How long the random tests run, and which oracle there is. */
import process from "node:process";
import { deserialize, serialize } from "node:v8";

/** Random values for each property; `V8_RANDOM=100000` for the whole proof. */
export const RANDOM_VALUES: number = Number(process.env.V8_RANDOM ?? 4000);

/** Mutated inputs; `V8_MUTATIONS=100000` for the whole proof. */
export const MUTATIONS: number = Number(process.env.V8_MUTATIONS ?? 6000);

/** Where random sequences begin; another `V8_SEED` gives others. */
export const SEED: number = Number(process.env.V8_SEED ?? 1);

/** Another implementation of the format. */
export interface Native {
  serialize(value: unknown): Uint8Array;
  deserialize(bytes: Uint8Array): unknown;
}

const isBun = "Bun" in globalThis;

/** The engine's own codec; none in Bun, whose `node:v8` writes JavaScriptCore's format. */
export const native: Native | undefined = isBun ? undefined : { serialize, deserialize };

/** Node 20's reader and writer differ from later ones in a few values. */
export const isNode20: boolean = !("Deno" in globalThis) && !isBun &&
  process.versions.node.startsWith("20.");

/** For tests that count to such numbers; Bun gives a test 5 seconds otherwise. */
export const LONG: { timeout: number } = { timeout: 900_000 };
