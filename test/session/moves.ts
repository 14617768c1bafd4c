/** Tools to watch a session move to another key: two stores, one behind a gate, and patterns for the commands. */
import type { TestContext } from "node:test";
import type { SessionStore } from "../../mod.ts";
import { type Gate, startGate } from "./gate.ts";
import type { Fields, Stores } from "./stores.ts";

/** Matches the add of a copy, not of a marker. */
export const ADD: RegExp = /^(ms (?!.* F2304).* ME|add \S+ (?!2304 ))/;
/** Matches the write of a marker: flags 256 | 2048, a minute, 16 bytes. */
export const MARK: RegExp = /^(cas \S+ 2304 60 16 |add \S+ 2304 60 16|ms \S+ 16 ME F2304 T60)/;
/** Matches the cas of a copy, not of a marker. */
export const CAS: RegExp = /^cas \S+ (?!2304 )/;
/** Matches a read that asks for the token. */
export const GETS: RegExp = /^(mg .* v|gets )/;

/** A store behind a gate, and another store that reaches the server directly. */
export interface Scene {
  readonly gate: Gate;
  readonly store: SessionStore<Fields>;
  readonly other: SessionStore<Fields>;
}

/** A scene until the test ends. */
export async function setScene(t: TestContext, stores: Stores): Promise<Scene> {
  const gate = await startGate(stores.address);
  t.after(() => gate.stop());
  return { gate, store: stores.make({ servers: gate.address }), other: stores.make() };
}

/** Tells which of the ids have a session. */
export function present(store: SessionStore<Fields>, ...ids: string[]): Promise<boolean[]> {
  return Promise.all(ids.map((id) => store.has(id)));
}
