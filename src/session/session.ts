/** A session as its user has it: fields with a name. */
import { invalidType } from "../errors.ts";
import { toExptime } from "../protocol/exptime.ts";
import { newId } from "./id.ts";
import { hasEnded } from "./lifetime.ts";
import type { SessionState } from "./state.ts";

/**
 * The inside of a session, for the store.
 *
 * @internal
 */
export let stateOf: <F>(session: Session<F>) => SessionState;
/**
 * Makes a session, for the store.
 *
 * @internal
 */
export let makeSession: <F>(state: SessionState) => Session<F>;

/**
 * A session in memory, made by `store.open`; nothing reaches memcached before `store.storeSession`.
 * Stored as the V8 array [fields, createdAt, ttl] under flags 256 | 512; a plain object stored by
 * `set` opens too, created now.
 *
 * @example
 * ```ts
 * import { SessionStore } from "memwire";
 *
 * const store = new SessionStore<{ user: string }>({ servers: "localhost:11211" });
 * const session = await store.open();
 * session.set("user", "ada");
 * console.log(await store.storeSession(session)); // stored
 * await store.close();
 * ```
 */
export class Session<F = Record<string, unknown>> {
  static {
    stateOf = (session) => session.#state;
    makeSession = (state) => new Session(state);
  }

  readonly #state: SessionState;

  private constructor(state: SessionState) {
    this.#state = state;
  }

  /** The id that the cookie carries; new from regenerate() on. */
  get id(): string {
    return this.#state.id;
  }

  /** Not loaded from memcached. */
  get isNew(): boolean {
    return this.#state.isNew;
  }

  /** When it was created, in ms since 1970. */
  get createdAt(): number {
    return this.#state.createdAt;
  }

  /** Seconds; its own if set, else the store's. Setting it is a change. */
  get ttl(): number {
    return this.#state.ownTtl ?? this.#state.store.ttl;
  }

  set ttl(seconds: number) {
    toExptime(seconds); // now, not when it is stored
    this.#state.ownTtl = seconds;
    this.#state.dirty = true;
  }

  /** The field's value; undefined when it is not there. */
  get<K extends keyof F & string>(name: K): F[K] | undefined {
    const { fields } = this.#state;
    return Object.hasOwn(fields, name) ? fields[name] as F[K] : undefined;
  }

  /** Sets a field. */
  set<K extends keyof F & string>(name: K, value: F[K]): this {
    if (typeof name !== "string") throw invalidType("a field's name must be a string");
    setField(this.#state.fields, name, value);
    this.#state.dirty = true;
    return this;
  }

  /** Whether the field is there. */
  has(name: keyof F & string): boolean {
    return Object.hasOwn(this.#state.fields, name);
  }

  /** Takes a field out; true: it was there. */
  delete(name: keyof F & string): boolean {
    const { fields } = this.#state;
    if (!Object.hasOwn(fields, name)) return false;
    delete fields[name];
    this.#state.dirty = true;
    return true;
  }

  /** Takes all fields out. */
  clear(): void {
    this.#state.fields = {};
    this.#state.dirty = true;
  }

  /** The fields, with their names. */
  *entries(): IterableIterator<[string, F[keyof F]]> {
    for (const entry of Object.entries(this.#state.fields)) yield entry as [string, F[keyof F]];
  }

  /**
   * Changed by set, delete, clear, ttl, regenerate or setDirty; changes inside a value are found by
   * storeSession, which compares encoded bytes.
   */
  isDirty(): boolean {
    return this.#state.dirty;
  }

  /** Marks it changed, or not. */
  setDirty(dirty: boolean = true): void {
    this.#state.dirty = dirty;
  }

  /** expiring() ran, or absoluteTtl has passed. */
  isExpired(): boolean {
    return this.#state.expired || hasEnded(this.#state.createdAt, this.#state.store);
  }

  /** Marks it expired; called by destroy. */
  expiring(): void {
    this.#state.expired = true;
  }

  /** storeSession will delete it. */
  destroy(): void {
    this.expiring();
    this.#state.destroyed = true;
  }

  /** Whether destroy was called. */
  get destroyed(): boolean {
    return this.#state.destroyed;
  }

  /**
   * A new id now; storeSession adds it, then deletes the old one. If that delete fails it rejects, and
   * the next storeSession deletes again: for a while both can exist, never neither.
   */
  regenerate(): void {
    const state = this.#state;
    // A save that is under way may send under the old key what it has not sent yet.
    if (!state.fresh || state.saves > 0) {
      for (const key of state.store.keysOf(state.id).reverse()) {
        if (!state.old.has(key)) state.old.set(key, undefined);
      }
      state.moving = "id";
      state.fresh = true;
      state.base ??= state.written;
      state.written = undefined;
      state.version = undefined;
    }
    state.id = newId();
    state.key = state.store.keysOf(state.id)[0] as string;
    state.dirty = true;
  }
}

/**
 * Sets an own field, also one of the name `__proto__`.
 *
 * @internal
 */
export function setField(fields: Record<string, unknown>, name: string, value: unknown): void {
  if (name !== "__proto__") fields[name] = value;
  else {
    Object.defineProperty(fields, name, {
      value,
      writable: true,
      enumerable: true,
      configurable: true,
    });
  }
}
