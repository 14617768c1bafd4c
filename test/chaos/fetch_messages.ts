/** The messages between the processes of the storm in fetch.ts. */
import type { FetchOptions } from "../../mod.ts";

export type Protocol = "meta" | "classic";

/** Returns the milliseconds of a clock that all processes of a machine share. */
export function clock(): number {
  return performance.timeOrigin + performance.now();
}

/** What a worker should do. */
export interface Job {
  readonly address: string;
  readonly protocol: Protocol;
  readonly keys: readonly string[];
  readonly users: number;
  /** The longest pause of a user between two calls, in ms. */
  readonly thinkMs: number;
  readonly options: FetchOptions;
}

/** What a worker asks the parent. */
export type Question =
  | { readonly ask: "floor"; readonly key: string }
  | { readonly ask: "begin"; readonly key: string; readonly askedAt: number }
  | { readonly ask: "end"; readonly load: number }
  | { readonly ask: "done"; readonly done: Done };

/** How a call ended. */
export interface Done {
  readonly key: string;
  /** What had been acknowledged when the call was made; see Source. */
  readonly floor: number;
  readonly hard: number;
  /** Whether the client can see that a value is marked as old, which classic does not tell. */
  readonly seesMarks: boolean;
  /** Whether no other call for the key was under way in its process. */
  readonly alone: boolean;
  /** The load that the call has made; 0 for none. */
  load: number;
  ms: number;
  result: string;
  value: string | undefined;
  /** The code of the error; "" for none. */
  error: string;
}

/** What the source answers when a load begins. */
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
