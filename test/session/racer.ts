/**
 * A program that takes part in races for sessions:
 *
 *     racer.ts SERVER NAMESPACE
 *
 * Each line of its input names a task and its arguments; the answer is what the task returns.
 */
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { ConflictError, type Session, SessionStore } from "../../mod.ts";
import { serveLines } from "./processes.ts";
import type { DialectName } from "./stores.ts";

const [server = "", namespace = ""] = process.argv.slice(2);

interface Counter {
  n: number;
}

type Store = SessionStore<Record<string, unknown>>;

const stores = new Map<DialectName, Store>();
/** Sessions that were opened by `hold`, by id. */
const held = new Map<string, Session>();

function storeOf(protocol: DialectName): Store {
  let store = stores.get(protocol);
  if (store === undefined) {
    const options = { servers: server, namespace, protocol, alwaysSave: true, timeout: 20_000 };
    stores.set(protocol, store = new SessionStore(options));
  }
  return store;
}

/** Counts how often a task returned each value. */
function tally(outcomes: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const outcome of outcomes) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return counts;
}

const tasks = {
  /** Opens sessions and keeps them. */
  async hold(store: Store, ids: string[]): Promise<void> {
    for (const id of ids) held.set(id, await store.open(id));
  },

  /** Sets a field in each held session, and stores it. */
  async saveHeld(store: Store, ids: string[], field: string): Promise<Record<string, number>> {
    const outcomes: string[] = [];
    for (const id of ids) {
      outcomes.push(await store.storeSession((held.get(id) as Session).set(field, id)));
    }
    return tally(outcomes);
  },

  /** Destroys each held session. */
  async destroyHeld(store: Store, ids: string[]): Promise<Record<string, number>> {
    const outcomes: string[] = [];
    for (const id of ids) {
      const session = held.get(id) as Session;
      session.destroy();
      outcomes.push(await store.storeSession(session));
    }
    return tally(outcomes);
  },

  /** Makes requests, one after another, that each set a different field. */
  async setFields(
    store: Store,
    id: string,
    name: string,
    count: number,
  ): Promise<Record<string, number>> {
    const outcomes: string[] = [];
    for (let n = 0; n < count; n++) {
      const session = await store.open(id);
      outcomes.push(await insist(() => store.storeSession(session.set(`${name}${n}`, n))));
    }
    return tally(outcomes);
  },

  /** Makes requests that change nothing, so they only touch, until the session says that it is over. */
  async touch(store: Store, id: string): Promise<number> {
    for (let touches = 0;;) {
      const session = await store.open(id);
      if (session.has("over")) return touches;
      await store.storeSession(session);
      await store.touch(id);
      touches += 3;
    }
  },

  async increment(store: Store, id: string, count: number, atATime: number): Promise<void> {
    let left = count;
    const counters = store as unknown as SessionStore<Counter>;
    await Promise.all(Array.from({ length: atATime }, async () => {
      while (left-- > 0) await counters.update(id, (value) => ({ n: (value?.n ?? 0) + 1 }));
    }));
  },

  /** Tells how many callers got each value. */
  async pop(store: Store, ids: string[], callers: number): Promise<number[]> {
    const got: number[] = [];
    for (const id of ids) {
      const values = await Promise.all(Array.from({ length: callers }, () => store.pop(id)));
      got.push(values.filter((value) => value !== undefined && value["id"] === id).length);
    }
    return got;
  },

  /** Gives new ids to the held sessions, in memory only, and returns the ids. */
  regenerateHeld(_store: Store, ids: string[]): string[] {
    return ids.map((id) => {
      const session = held.get(id) as Session;
      session.regenerate();
      return session.id;
    });
  },

  /**
   * Looks at pairs of old and new ids again and again until all old ones are gone. Counts how often neither
   * was there, and how often the old one was there. Counts `ready` up after the first look.
   */
  async watch(
    store: Store,
    pairs: [string, string][],
    ready: string,
  ): Promise<{ neither: number; old: number }> {
    let neither = 0;
    let old = 0;
    for (;;) {
      const seen = await Promise.all(pairs.map(async ([before, after]) => {
        if (await store.has(before)) return "old";
        return await store.has(after) ? "new" : "neither";
      }));
      const counts = tally(seen);
      neither += counts["neither"] ?? 0;
      old += counts["old"] ?? 0;
      if (old === counts["old"]) await this.increment(store, ready, 1, 1);
      if (counts["old"] === undefined) return { neither, old };
      await sleep(0);
    }
  },
};

interface Task {
  readonly task: keyof typeof tasks;
  readonly protocol: DialectName;
  readonly args: readonly unknown[];
}

await serveLines(({ task, protocol, args }: Task) =>
  (tasks[task] as (store: Store, ...args: unknown[]) => unknown).call(
    tasks,
    storeOf(protocol),
    ...args,
  )
);
for (const store of stores.values()) await store.close();

/** Saves, and saves again after a ConflictError: on a slow machine others may win even the last try. */
async function insist<T>(save: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await save();
    } catch (error) {
      if (!(error instanceof ConflictError)) throw error;
    }
  }
}
