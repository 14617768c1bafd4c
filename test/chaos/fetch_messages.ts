/** What the processes of the storm in fetch.ts say to each other. */
import type { FetchOptions } from "../../mod.ts";

export type Protocol = "meta" | "classic";

/** Milliseconds by a clock that all processes of a machine share. */
export function clock(): number {
  return performance.timeOrigin + performance.now();
}

/** What a worker is to do. */
export interface Job {
  readonly address: string;
  readonly protocol: Protocol;
  readonly keys: readonly string[];
  readonly users: number;
  /** The longest pause of a user between two calls. */
  readonly thinkMs: number;
  readonly options: FetchOptions;
}

/** What a worker asks. */
export type Question =
  | { readonly ask: "floor"; readonly key: string }
  | { readonly ask: "begin"; readonly key: string; readonly askedAt: number }
  | { readonly ask: "end"; readonly load: number }
  | { readonly ask: "done"; readonly done: Done };

/** How a call ended. */
export interface Done {
  readonly key: string;
  /** What had been acknowledged when it was made: see Source. */
  readonly floor: number;
  readonly hard: number;
  /** The client sees what is marked as old: classic tells nothing of it. */
  readonly seesMarks: boolean;
  /** No other call for the key was underway in its process. */
  readonly alone: boolean;
  /** The load that it has made, 0 for none. */
  load: number;
  ms: number;
  result: string;
  value: string | undefined;
  /** The code of the error, "" for none. */
  error: string;
}

/** What the source says of a load that begins. */
export interface Begun {
  readonly load?: number;
  readonly version?: number;
  readonly ms?: number;
  readonly fails?: boolean;
  readonly absent?: boolean;
}

/** The answer to a question. */
export interface Reply extends Begun {
  readonly id: number;
  readonly floor?: number;
  readonly hard?: number;
}
