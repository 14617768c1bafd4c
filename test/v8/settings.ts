/** How long the random tests run, and which oracle they compare with. */
import process from "node:process";
import { deserialize, serialize } from "node:v8";

/** How many random values each property is checked with; use `V8_RANDOM=100000` for a thorough run. */
export const RANDOM_VALUES: number = Number(process.env.V8_RANDOM ?? 4000);

/** How many mutated inputs are tried; use `V8_MUTATIONS=100000` for a thorough run. */
export const MUTATIONS: number = Number(process.env.V8_MUTATIONS ?? 6000);

/** Where random sequences begin. Another `V8_SEED` gives other sequences. */
export const SEED: number = Number(process.env.V8_SEED ?? 1);

/** Another implementation of the format. */
export interface Native {
  serialize(value: unknown): Uint8Array;
  deserialize(bytes: Uint8Array): unknown;
}

const isBun = "Bun" in globalThis;

/** The engine's own codec. Bun has none, because its `node:v8` writes JavaScriptCore's format. */
export const native: Native | undefined = isBun ? undefined : { serialize, deserialize };

/** Node 20's reader and writer differ from later ones in a few values. */
export const isNode20: boolean = !("Deno" in globalThis) && !isBun &&
  process.versions.node.startsWith("20.");

/** The time limit of tests with such large numbers. Bun's default is 5 seconds. */
export const LONG: { timeout: number } = { timeout: 900_000 };
