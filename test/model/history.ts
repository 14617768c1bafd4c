/**
 * Changes one visitor's session by several handles at once, and compares with a model of what was acknowledged.
 *
 * A round asks up to three handles for something at the same time. Then it compares what each was told with
 * what had been told before the round. So the order is known between rounds, but not within one.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "../v8/random.ts";
import type { Command, Result } from "./worker.ts";

/** Something that a handle can be asked to do. */
type Act = Omit<Command, "n" | "store" | "handle">;

/** What a history needs of its surroundings. */
export interface Stage {
  readonly workers: number;
  ask(worker: number, command: Omit<Command, "n">): Promise<Result>;
  /** Tells which server an id belongs to. */
  serverOf(id: string): number;
  /** Tells how often each server has been restarted. */
  restarts(): readonly number[];
}

/** Something happened that the model forbids. */
export class Violation extends Error {
  constructor(what: string, log: readonly string[]) {
    super(`${what}\n  ${log.join("\n  ")}`);
  }
}

interface Handle {
  readonly worker: number;
  readonly number: number;
  readonly store: number;
  /** Whether it holds the visitor's session, as far as it has been told. */
  live: boolean;
  id: string;
  /** The id from which it moves the session, until it is told that the session has moved. */
  from: string | undefined;
  /** Whether it was not told the outcome of the session's first store. */
  isNew: boolean;
  destroyed: boolean;
  /** The tokens of which it was not told that they are stored. */
  pending: string[];
}

interface Told {
  readonly handle: Handle;
  readonly act: Act;
  readonly result: Result;
}

/** The state of a handle that holds no session. */
function noSession(): Omit<Handle, "worker" | "number" | "store" | "id"> {
  return { live: false, from: undefined, isNew: false, destroyed: false, pending: [] };
}

let handles = 0;

/** Plays one history. Throws a Violation if the model forbids what happened. */
export class History {
  readonly #stage: Stage;
  readonly #random: Random;
  readonly #tag: string;
  readonly #log: string[] = [];
  readonly #handles: readonly Handle[];
  /** The tokens of which somebody was told that they are stored. */
  readonly #acknowledged = new Set<string>();
  /** The ids under which the session was, as somebody was told. The last one is the present id. */
  readonly #ids: string[] = [];
  /** All ids that any handle has ever had. */
  readonly #allIds = new Set<string>();
  #restarts: readonly number[];
  #ended: "no" | "maybe" | "yes" = "no";
  #tokens = 0;

  constructor(stage: Stage, random: Random, tag: string) {
    this.#stage = stage;
    this.#random = random;
    this.#tag = tag;
    this.#restarts = stage.restarts();
    this.#handles = Array.from({ length: 4 }, () => ({
      worker: random.below(stage.workers),
      number: handles++,
      store: random.below(4),
      id: "",
      ...noSession(),
    }));
  }

  /** Plays the rounds, while there are faults. */
  async play(): Promise<void> {
    const [first] = this.#handles as [Handle];
    const { id = "" } = await this.#ask(first, { op: "create" });
    this.#allIds.add(id);
    Object.assign(first, { ...noSession(), live: true, id, isNew: true });
    await this.#round([[first, this.#change()]]);
    for (let rounds = 4 + this.#random.below(8); rounds > 0; rounds--) {
      const acting = this.#handles.filter(() => this.#random.below(2) === 0).slice(0, 3);
      await this.#round(acting.map((handle) => [handle, this.#choose(handle)] as const));
    }
  }

  /** Checks, when the faults are over, that every save ends and that what is stored is what the model says. */
  async check(): Promise<void> {
    this.#noteRestarts([]);
    for (const handle of this.#handles) {
      for (let tries = 0; isOpen(handle); tries++) {
        if (tries === 200) throw this.#violation("a save never ends");
        if (tries > 0) await sleep(20);
        await this.#round([[handle, { op: "store" }]]);
      }
    }
    const readable: string[] = [];
    for (const id of this.#allIds) {
      const { isNew, tokens = [] } = await this.#insist(id);
      if (isNew) continue;
      readable.push(id);
      this.#checkTokens(tokens, this.#acknowledged);
    }
    this.#log.push(
      `end: ${readable.map(short)} of ${[...this.#allIds].map(short)}, ended: ${this.#ended}`,
    );
    if (readable.length > 1) throw this.#violation("the session is there twice");
    if (this.#ended === "yes" && readable.length > 0) throw this.#violation("a logout was undone");
    if (this.#ended === "no" && readable.length === 0 && this.#ids.length > 0) {
      throw this.#violation("the session is lost");
    }
  }

  async #insist(id: string): Promise<Result> {
    const [{ worker, store }] = this.#handles as [Handle];
    for (let tries = 0; tries < 200; tries++) {
      const result = await this.#stage.ask(worker, { op: "open", store, handle: -1, id });
      if (result.outcome !== "rejected") return result;
      await sleep(20);
    }
    throw this.#violation("an open never ends");
  }

  #change(): Act {
    const token = `${this.#tag}-${this.#tokens++}`;
    const change = this.#random.below(3) === 0 ? { push: token } : { set: token };
    return { op: "store", ...change, ...this.#random.below(10) === 0 ? { ttl: 3000 } : {} };
  }

  #choose(handle: Handle): Act {
    const random = this.#random;
    const early = random.below(5) === 0 && this.#ids.length > 0;
    const id = early ? random.of(this.#ids) : this.#ids.at(-1) ?? "";
    if (!handle.live) return { op: "open", id };
    if (handle.destroyed) return { op: "store" };
    switch (random.below(20)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return { ...this.#change(), regenerate: true };
      case 4:
        return { op: "store", destroy: true };
      case 5:
        return { op: random.of(["pop", "delete"] as const), id };
      case 6:
        return { op: "touch", id };
      case 7:
      case 8:
        // A handle is only given up if it has nothing more to store.
        return isOpen(handle) ? { op: "store" } : { op: "open", id };
      case 9:
        return { op: "store" };
      default:
        return this.#change();
    }
  }

  async #ask({ worker, number, store }: Handle, act: Act): Promise<Result> {
    const result = await this.#stage.ask(worker, { ...act, handle: number, store });
    if (result.wrong !== undefined) throw this.#violation(result.wrong);
    return result;
  }

  async #round(acts: readonly (readonly [Handle, Act])[]): Promise<void> {
    for (const [handle, { set, push, regenerate, destroy }] of acts) {
      for (const token of [set, push]) if (token !== undefined) handle.pending.push(token);
      if (regenerate) handle.from ??= handle.id;
      if (destroy) handle.destroyed = true;
    }
    const told = await Promise.all(acts.map(async ([handle, act]): Promise<Told> => {
      return { handle, act, result: await this.#ask(handle, act) };
    }));
    for (const { handle, act: { op, id, ...changes }, result } of told) {
      const { outcome = result.isNew ? "new" : "there" } = result;
      const what = [op, short(id), ...Object.keys(changes)].filter(Boolean).join(" ");
      const before = `${told.length > 1 ? "| " : ""}${handle.number} ${short(handle.id)}`;
      this.#log.push(`${before}: ${what}: ${outcome} ${short(result.id)}`);
    }
    this.#judge(told);
  }

  #judge(told: readonly Told[]): void {
    const ended = this.#ended;
    const current = this.#ids.at(-1);
    const left = this.#ids.slice(0, -1);
    for (const { result: { id } } of told) if (id !== undefined) this.#allIds.add(id);
    const restarted = this.#noteRestarts(told);
    const acknowledged = new Set(this.#acknowledged);
    const movers = told.filter(({ handle, result }) =>
      result.outcome === "stored" && handle.from !== undefined
    );
    const enders = told.filter((one) => this.#mayEnd(one, current));
    if (movers.length > 1) throw this.#violation("two requests have moved the session");
    if (ended === "yes" && told.some(isThere)) throw this.#violation("a logout is undone");
    const moving = this.#isMoving(current);
    const explained = ended !== "no" || moving || restarted || enders.length > 0;
    for (const { handle, act: { op, id: asked }, result } of told) {
      const { outcome, isNew, tokens = [], id = "" } = result;
      if (outcome === "rejected") continue;
      const missing = op === "open" ? isNew : op !== "delete" && outcome === false;
      if (missing && asked === current && !explained) throw this.#violation("the session is lost");
      if (op === "open") {
        Object.assign(handle, { ...noSession(), live: !isNew, id });
        if (!isNew && left.includes(asked ?? "")) {
          throw this.#violation("an id that was left is read");
        }
      }
      if ((op === "open" && !isNew) || (op === "pop" && outcome === true)) {
        this.#checkTokens(tokens, acknowledged);
      }
      if (op !== "store") continue;
      handle.id = id;
      if (outcome === "stored") this.#stored(handle, current, left);
      else if (outcome === "gone" || outcome === "deleted") {
        const known = handle.id === current || handle.from === current;
        if (outcome === "gone" && known && !explained) {
          throw this.#violation("gone, and nobody has ended it");
        }
        Object.assign(handle, { ...noSession() });
      }
    }
    if (enders.length === 0 || ended === "yes") return;
    // A logout under the old id at the time of a move ended nothing: it came after the move.
    if (movers.length > 0) return;
    const sure = enders.some(({ result: { outcome } }) =>
      outcome === "deleted" || outcome === true
    );
    this.#ended = sure && !this.#isMoving(current) ? "yes" : "maybe";
  }

  /** Whether a handle may have moved the session away from its present id, and was not told so. */
  #isMoving(current: string | undefined): boolean {
    return this.#handles.some(({ live, from }) => live && from !== undefined && from === current);
  }

  /** Notes that somebody was told that the handle's session is stored. */
  #stored(handle: Handle, current: string | undefined, left: readonly string[]): void {
    if (left.includes(handle.from ?? handle.id)) {
      throw this.#violation("stored, of an id that the session has left");
    }
    if (handle.id !== current) this.#ids.push(handle.id);
    for (const token of handle.pending) this.#acknowledged.add(token);
    Object.assign(handle, { from: undefined, isNew: false, pending: [] });
  }

  /** Whether it may have ended the session. A logout under an id that the session had left before does not. */
  #mayEnd({ handle, act: { op, id }, result: { outcome } }: Told, current?: string): boolean {
    const moving = this.#isMoving(current);
    // A delete that is repeated after a lost reply may find nothing.
    if (op === "delete") return id === current || moving;
    if (op === "pop") return outcome !== false && (id === current || moving);
    if (op !== "store" || !handle.destroyed) return false;
    return handle.id === current || moving;
  }

  /** Whether a server that may have held something of the session has lost it. */
  #noteRestarts(told: readonly Told[]): boolean {
    const before = this.#restarts;
    const now = this.#restarts = this.#stage.restarts();
    const ids = [
      this.#ids.at(-1),
      ...told.map(({ result: { id } }) => id),
      ...this.#handles.flatMap(({ live, id, from }) => live ? [id, from] : []),
    ];
    const lost = ids.some((id) => {
      if (id === undefined || id === "") return false;
      const server = this.#stage.serverOf(id);
      return now[server] !== before[server];
    });
    if (!lost) return false;
    this.#acknowledged.clear();
    if (this.#ended === "no") this.#ended = "maybe";
    return true;
  }

  /** Checks that what was read has everything that was acknowledged, and nothing of another session. */
  #checkTokens(tokens: readonly string[], acknowledged: ReadonlySet<string>): void {
    const found = new Set(tokens);
    for (const token of found) {
      if (!token.startsWith(`${this.#tag}-`)) throw this.#violation("another's session");
    }
    for (const token of acknowledged) {
      if (!found.has(token)) throw this.#violation(`the acknowledged ${token} is lost`);
    }
  }

  #violation(what: string): Violation {
    return new Violation(what, this.#log);
  }
}

/** Whether a handle does not know everything that was acknowledged. */
function isOpen({ live, from, isNew, destroyed, pending }: Handle): boolean {
  return live && (from !== undefined || isNew || destroyed || pending.length > 0);
}

/** Whether somebody who asked got the session. */
function isThere({ act: { op }, result: { outcome, isNew } }: Told): boolean {
  if (op === "open") return isNew === false;
  if (op === "store") return outcome === "stored" || outcome === "touched";
  return op !== "delete" && outcome === true;
}

function short(id: string | undefined): string {
  return id?.slice(0, 5) ?? "";
}
