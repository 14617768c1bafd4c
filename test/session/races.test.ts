import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { after, before, describe, test } from "node:test";
import type { SessionStore } from "../../mod.ts";
import { type BorrowedServers, borrowMemcached } from "../support/memcached.ts";
import { type Program, startProgram, thisRuntime } from "./processes.ts";
import {
  type DialectName,
  DIALECTS,
  type Fields,
  fieldsOf,
  someId,
  storedSession,
  Stores,
} from "./stores.ts";

const PROCESSES = 4;

// Several processes of this runtime use one server at the same time.
describe("races between processes", () => {
  let servers: BorrowedServers;
  let programs: Program[] = [];
  const dialects = new Map(DIALECTS.map((protocol) => [protocol, new Stores(protocol)]));
  const namespace = `race${someId()}:`;

  before(async () => {
    servers = await borrowMemcached();
    const [server = ""] = servers.addresses;
    programs = Array.from(
      { length: PROCESSES },
      () => startProgram(thisRuntime(), "racer.ts", server, namespace),
    );
    // A task that does nothing, to wait until all of them are up.
    await all("meta", "hold", () => [[]]);
  });

  after(async () => {
    await Promise.all(programs.map((program) => program.end()));
    for (const stores of dialects.values()) await stores.stop();
    await servers.stop();
  });

  function run<T>(at: number, protocol: DialectName, task: string, ...args: unknown[]): Promise<T> {
    return (programs[at] as Program).ask<T>({ protocol, task, args });
  }

  /** Makes all processes do the task at the same time. */
  function all<T>(
    protocol: DialectName,
    task: string,
    args: (at: number) => readonly unknown[],
  ): Promise<T[]> {
    return Promise.all(programs.map((_, at) => run<T>(at, protocol, task, ...args(at))));
  }

  for (const [protocol, stores] of dialects) {
    const make = (): SessionStore<Fields> =>
      stores.make<Fields>({ servers: servers.addresses, namespace, timeout: 20_000 });

    test(`saves of different fields all survive (${protocol})`, async () => {
      const store = make();
      const id = await storedSession(store, { first: true });
      const rounds = 25;
      const outcomes = await all(protocol, "setFields", (at) => [id, `p${at}-`, rounds]);
      assert.deepEqual(outcomes, Array(PROCESSES).fill({ stored: rounds }));
      const fields = fieldsOf(await store.open(id));
      assert.equal(Object.keys(fields).length, 1 + PROCESSES * rounds);
    });

    test(`two saves of different fields, in two processes, both survive (${protocol})`, async () => {
      const store = make();
      const ids = await Promise.all(
        Array.from({ length: 40 }, () => storedSession(store, { a: 1 })),
      );
      await all(protocol, "hold", () => [ids]);
      const saves = [
        run(0, protocol, "saveHeld", ids, "b"),
        run(1, protocol, "saveHeld", ids, "c"),
      ];
      assert.deepEqual(await Promise.all(saves), [{ stored: 40 }, { stored: 40 }]);
      for (const id of ids) assert.deepEqual(await store.get(id), { a: 1, b: id, c: id });
    });

    test(`a save after destroy elsewhere is "gone" (${protocol})`, async () => {
      const store = make();
      const ids = await Promise.all([1, 2, 3].map((a) => storedSession(store, { a })));
      await all(protocol, "hold", () => [ids]);
      assert.deepEqual(await run(0, protocol, "destroyHeld", ids), { deleted: 3 });
      for (const at of [1, 2, 3]) {
        assert.deepEqual(await run(at, protocol, "saveHeld", ids, "late"), { gone: 3 });
      }
      for (const id of ids) assert.equal(await store.has(id), false);
    });

    test(`saves and logouts at the same time: a logged-out session stays gone (${protocol})`, async () => {
      const store = make();
      const ids = await Promise.all(
        Array.from({ length: 60 }, () => storedSession(store, { a: 1 })),
      );
      await all(protocol, "hold", () => [ids]);
      const [destroyed, ...saved] = await Promise.all(
        programs.map((_, at) =>
          at === 0
            ? run<Record<string, number>>(at, protocol, "destroyHeld", ids)
            : run<Record<string, number>>(at, protocol, "saveHeld", ids, `late${at}`)
        ),
      );
      assert.deepEqual(destroyed, { deleted: 60 });
      for (const { stored = 0, gone = 0 } of saved) assert.equal(stored + gone, 60);
      for (const id of ids) assert.equal(await store.has(id), false);
    });

    test(`touching never overwrites data (${protocol})`, async () => {
      const store = make();
      const id = await storedSession(store, { n: 0 });
      const touching = [1, 2, 3].map((at) => run<number>(at, protocol, "touch", id));
      const written = await run(0, protocol, "setFields", id, "f", 60);
      assert.deepEqual(written, { stored: 60 });
      const session = await store.open(id);
      await store.storeSession(session.set("over", true));
      const touches = await Promise.all(touching);
      // How many requests each makes depends on the machine; that all three touched beside the writer does not.
      assert.ok(touches.every((count) => count > 0), `${touches}`);
      assert.equal(Object.keys(await store.get(id) as Fields).length, 62);
    });

    test(`of 10 concurrent pops one gets the value (${protocol})`, async () => {
      const store = make();
      const ids = Array.from({ length: 40 }, () => someId());
      await Promise.all(ids.map((id) => store.set(id, { id })));
      const callers = [3, 3, 2, 2];
      const got = await all<number[]>(protocol, "pop", (at) => [ids, callers[at]]);
      for (const [i, id] of ids.entries()) {
        assert.equal(got.reduce((sum, of) => sum + (of[i] as number), 0), 1, "one gets it");
        assert.equal(await store.has(id), false);
      }
      const winners = got.map((of) => of.reduce((sum, n) => sum + n, 0));
      assert.equal(winners.reduce((sum, n) => sum + n, 0), 40);
    });

    test(`1,000 increments by update, 10 at a time in each of 4 processes, lose none (${protocol})`, async (t) => {
      const store = make();
      const id = someId();
      const begun = performance.now();
      await all(protocol, "increment", () => [id, 1000, 10]);
      t.diagnostic(`${Math.round(performance.now() - begun)} ms`);
      assert.deepEqual(await store.get(id), { n: 1000 * PROCESSES });
    });

    test(`regenerate: a reader always finds the old session or the new one (${protocol})`, async () => {
      const store = make();
      const ids = await Promise.all(
        Array.from({ length: 40 }, () => storedSession(store, { a: 1 })),
      );
      await run(0, protocol, "hold", ids);
      const fresh = await run<string[]>(0, protocol, "regenerateHeld", ids);
      const pairs = ids.map((id, i) => [id, fresh[i]]);
      const watching = [1, 2, 3].map((at) =>
        run<{ neither: number; old: number }>(at, protocol, "watch", pairs, `watching-${protocol}`)
      );
      while ((await store.get(`watching-${protocol}`))?.["n"] !== 3) {
        await sleep(5);
      }
      assert.deepEqual(await run(0, protocol, "saveHeld", ids, "b"), { stored: 40 });
      const seen = await Promise.all(watching);
      assert.deepEqual(seen.map(({ neither }) => neither), [0, 0, 0]);
      assert.ok(seen.every(({ old }) => old >= 40), "the readers have seen all the old sessions");
      for (const [old, id] of pairs as [string, string][]) {
        assert.equal(await store.has(old), false);
        assert.deepEqual(await store.get(id), { a: 1, b: old });
      }
    });
  }
});
