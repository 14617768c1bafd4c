// Plays the tables at the head of src/session/moving.ts: another request acts under the old id at each moment
// of a move, while the server of the old or the new id works, is slow, is silent, refuses or restarts.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Hashing, MemcachedError, type Session, type SessionStore } from "../../mod.ts";
import { type Gate, startGate } from "./gate.ts";
import { ADD, GETS, MARK } from "./moves.ts";
import { DIALECTS, type Fields, someId, storedSession, Stores } from "./stores.ts";
import { PATIENT } from "../support/patient.ts";

const MOMENTS = [
  "before the read",
  "between read and add",
  "between add and marker",
  "after the marker",
] as const;
const ACTIONS = ["nothing", "stores", "touches", "destroys", "regenerates", "pops"] as const;
const TROUBLES = ["none", "slow", "silent", "refusing", "restarted"] as const;
const SERVERS = ["old", "new"] as const;

// How many scenes are played at the same time.
const AT_ONCE = 24;

interface Play {
  readonly moment: number;
  readonly action: (typeof ACTIONS)[number];
  readonly trouble: (typeof TROUBLES)[number];
  readonly where: (typeof SERVERS)[number];
}

function* plays(): Generator<Play> {
  for (const moment of MOMENTS.keys()) {
    for (const action of ACTIONS) {
      for (const trouble of TROUBLES) {
        for (const where of SERVERS) {
          if (trouble === "none" && where === "new") continue;
          yield { moment, action, trouble, where };
        }
      }
    }
  }
}

/** One play. It has a gate for each id's server; behind both gates is the same memcached. */
class Scene {
  readonly play: Play;
  readonly #stores: Stores;
  readonly #gates: Record<(typeof SERVERS)[number], Gate>;
  readonly #direct: SessionStore<Fields>;
  #store!: SessionStore<Fields>;
  #id = "";
  #fresh = "";
  #other!: Session;
  #acted: unknown;
  #heal: (() => unknown)[] = [];

  constructor(play: Play, stores: Stores, old: Gate, fresh: Gate) {
    this.play = play;
    this.#stores = stores;
    this.#gates = { old, new: fresh };
    this.#direct = stores.make();
  }

  async run(): Promise<void> {
    const { moment, action } = this.play;
    const direct = this.#direct;
    this.#id = await storedSession(direct, { a: 1 });
    const id = this.#id;
    this.#other = await direct.open(id);
    const hashing: Hashing = () => {
      const pick = (key: string): number => key.endsWith(id) ? 0 : 1;
      return { pick, order: (key) => [pick(key), 1 - pick(key)] };
    };
    const servers = [this.#gates.old.address, this.#gates.new.address];
    this.#store = this.#stores.make({ servers, hashing, timeout: 250 });
    const session = await this.#store.open(id, { timeout: 5_000 });
    await this.#store.get(someId(), { timeout: 5_000 });
    session.set("b", 2);
    session.regenerate();
    this.#fresh = session.id;
    // The save may reject before the trouble is complete: a server closes its connections first.
    let struck: Promise<void> | undefined;
    const strike = (): Promise<void> => struck = this.#act().then(() => this.#strike());
    if (moment === 0) this.#gates.old.before(GETS, strike);
    if (moment === 1) this.#gates.new.before(ADD, strike);
    if (moment === 2) this.#gates.old.before(MARK, strike);
    // After the move nothing stands in its way, so it must succeed, however busy the machine is.
    const first = await this.#save(session, moment === 3 ? PATIENT.timeout : undefined);
    if (moment === 3) {
      assert.equal(first, "stored");
      await strike();
    }
    await struck;
    const ended = moment < 3 && (action === "destroys" || action === "pops");
    const elsewhere = moment < 3 && action === "regenerates";
    if (!ended && !elsewhere && this.play.trouble !== "restarted") {
      const there = await Promise.all([id, this.#fresh].map((id) => direct.has(id)));
      assert.ok(there.includes(true), "neither");
    }
    for (const heal of this.#heal) await heal();
    const last = await this.#insist(session);
    this.#checkActed();
    await this.#checkEnd(first, last, ended || elsewhere);
  }

  /** Saves, and resolves to the outcome or to "rejected". */
  async #save(session: Session, timeout?: number): Promise<string> {
    try {
      return await this.#store.storeSession(session, timeout === undefined ? {} : { timeout });
    } catch (error) {
      assert.ok(error instanceof MemcachedError, String(error));
      assert.equal(session.isDirty(), true);
      return "rejected";
    }
  }

  /** Saves until it works: a server that was down is probed before it is used again. */
  async #insist(session: Session): Promise<string> {
    for (let tries = 0; tries < 100; tries++) {
      const outcome = await this.#save(session);
      if (outcome !== "rejected") return outcome;
      await sleep(30);
    }
    assert.fail("it never worked again");
  }

  async #act(): Promise<void> {
    const [direct, other] = [this.#direct, this.#other];
    switch (this.play.action) {
      case "nothing":
        return;
      case "stores":
        other.set("c", 3);
        break;
      case "touches":
        this.#acted = await direct.touch(this.#id);
        return;
      case "pops":
        this.#acted = await direct.pop(this.#id) !== undefined;
        return;
      case "destroys":
        other.destroy();
        break;
      case "regenerates":
        other.regenerate();
    }
    this.#acted = await direct.storeSession(other);
  }

  /** Checks what the other request was told. */
  #checkActed(): void {
    const { moment, action } = this.play;
    const before = moment < 3;
    const told = {
      nothing: undefined,
      stores: before ? "stored" : "gone",
      touches: before,
      destroys: "deleted",
      regenerates: before ? "stored" : "gone",
      pops: before,
    };
    assert.equal(this.#acted, told[action]);
  }

  async #strike(): Promise<void> {
    const { trouble, where } = this.play;
    const gate = this.#gates[where];
    if (trouble === "slow") {
      gate.always(() => sleep(20));
      this.#heal.push(() => gate.always(undefined));
    } else if (trouble === "silent") {
      let release = (): void => {};
      const held = new Promise<void>((resolve) => release = resolve);
      gate.always(() => held);
      this.#heal.push(() => {
        gate.always(undefined);
        release();
      });
    } else if (trouble === "refusing") {
      await gate.shut();
      this.#heal.push(() => gate.reopen());
    } else if (trouble === "restarted") {
      await gate.shut();
      await this.#stores.raw.delete(this.#direct.mcKey(where === "old" ? this.#id : this.#fresh));
      await gate.reopen();
    }
  }

  async #checkEnd(first: string, last: string, ended: boolean): Promise<void> {
    const { moment, action, trouble, where } = this.play;
    const direct = this.#direct;
    const restarted = trouble === "restarted" ? where : undefined;
    assert.equal(await direct.get(this.#id), undefined, "the old id");
    if (action === "regenerates" && moment < 3) {
      assert.deepEqual(await direct.get(this.#other.id), { a: 1 }, "the other's new id");
    }
    if (ended || (restarted === "old" && moment < 3)) {
      assert.equal(last, "gone");
      assert.equal(await direct.has(this.#fresh), false);
      return;
    }
    assert.match(`${first} ${last}`, /^(rejected stored|stored unchanged)$/);
    if (restarted === "new" && moment >= 2) return; // lost with its server, if it was there already
    const fields = { a: 1, b: 2, ...action === "stores" && moment < 3 ? { c: 3 } : {} };
    assert.deepEqual(await direct.get(this.#fresh), fields);
  }
}

for (const protocol of DIALECTS) {
  describe(`a move, at each of its steps (${protocol})`, () => {
    for (const [moment, when] of MOMENTS.entries()) {
      test(`${when}: ${ACTIONS.join(", ")}; ${TROUBLES.join(", ")}`, async (t) => {
        const stores = new Stores(protocol);
        await stores.start();
        t.after(() => stores.stop());
        const scenes = [...plays()].filter((play) => play.moment === moment);
        assert.equal(scenes.length, ACTIONS.length * (2 * TROUBLES.length - 1));
        const play = async (): Promise<void> => {
          for (let next = scenes.pop(); next !== undefined; next = scenes.pop()) {
            await using old = await startGate(stores.address);
            await using fresh = await startGate(stores.address);
            try {
              await new Scene(next, stores, old, fresh).run();
            } catch (error) {
              const { action, trouble, where } = next;
              throw new Error(`${when} another ${action}, the ${where} server ${trouble}`, {
                cause: error,
              });
            }
          }
        };
        await Promise.all(Array.from({ length: AT_ONCE }, play));
      });
    }
  });
}
