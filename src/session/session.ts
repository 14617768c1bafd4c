/** The session that the caller works with: fields with names. */
import { checkBoolean, kindOf } from "../checks/values.ts";
import { invalidType } from "../errors.ts";
import { toExptime } from "../protocol/exptime.ts";
import { newId } from "./ids.ts";
import { hasEnded } from "./lifetime.ts";
import { fieldBytes, type FieldUpdate, joined, setField, updateField } from "./merge.ts";
import type { SessionState } from "./state.ts";

/**
 * Returns the inner state of a session. For the store alone.
 *
 * @internal
 */
export let stateOf: <F>(session: Session<F>) => SessionState;
/**
 * Makes a session of its state. For the store alone.
 *
 * @internal
 */
export let makeSession: <F>(state: SessionState) => Session<F>;

/**
 * A session in memory, made by `store.open` or `store.create`. Nothing reaches memcached before
 * `store.storeSession`. It is stored as the V8 array [fields, createdAt, ttl] with flags 256 | 512. A plain
 * object that `set` has stored opens as a session created now. `session.user = "ada"` throws a `TypeError`, since
 * only `set` stores a field.
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
    // `session.user = "ada"` would be lost, since a field is set by `set`. So it throws.
    Object.preventExtensions(this);
  }

  /** The id, which the cookie carries. regenerate() changes it at once. */
  get id(): string {
    return this.#state.id;
  }

  /** Whether the session has never been stored: it was not loaded from memcached, nor saved since. */
  get isNew(): boolean {
    return this.#state.isNew;
  }

  /** When the session was created, in milliseconds since 1970. */
  get createdAt(): number {
    return this.#state.createdAt;
  }

  /** Seconds to live after a request: the session's own ttl if set, else the store's. Setting it is a change. */
  get ttl(): number {
    return this.#state.ttl ?? this.#state.home.ttl;
  }

  set ttl(seconds: number) {
    toExptime(seconds); // throws for a bad ttl now, not when it is stored
    this.#state.ttl = seconds;
    this.#state.dirty = true;
  }

  /** Returns the field's value, or undefined if it is absent. */
  get<K extends keyof F & string>(name: K): F[K] | undefined {
    checkName(name);
    const { fields } = this.#state;
    return Object.hasOwn(fields, name) ? fields[name] as F[K] : undefined;
  }

  /** Sets a field. */
  set<K extends keyof F & string>(name: K, value: F[K]): this {
    checkName(name);
    const { fields, updates } = this.#state;
    setField(fields, name, value);
    updates.delete(name);
    this.#state.dirty = true;
    return this;
  }

  /**
   * Sets the field to what `fn` returns for its current value. `fn` runs now, and again on a fresh copy if
   * storeSession finds that somebody else has changed the field meanwhile. So if two requests each push to
   * one list, both entries stay; with `set` the later request would win. `fn` must not return a promise
   * (`TypeError`); undefined removes the field. Several updates run in order; a later `set`, `delete` or
   * `clear` of the field replaces them.
   *
   * If `fn` throws while storeSession merges, storeSession rejects with that error and the session stays
   * dirty. After a save of unknown outcome, `fn` can count twice. With `lastWriteWins` it runs only once,
   * now; after destroy() it does not run.
   *
   * @example `session.update("cart", (cart = []) => [...cart, "tea"]);`
   */
  update<K extends keyof F & string>(
    name: K,
    fn: (current: F[K] | undefined) => F[K] | undefined,
  ): this {
    checkName(name);
    if (typeof fn !== "function") throw invalidType("a session's update needs a function");
    const { fields, updates, destroyed, home: { codec } } = this.#state;
    if (destroyed) return this;
    const found = fieldBytes(fields, name, codec);
    updateField(fields, name, fn as FieldUpdate);
    this.#state.dirty = true;
    const after = fieldBytes(fields, name, codec);
    this.#state.updates = joined(
      updates,
      new Map([[name, { before: found, steps: [{ fn: fn as FieldUpdate, after }] }]]),
    );
    return this;
  }

  /** Whether the session has the field. */
  has(name: keyof F & string): boolean {
    checkName(name);
    return Object.hasOwn(this.#state.fields, name);
  }

  /** Removes a field. Returns true if it was there. */
  delete(name: keyof F & string): boolean {
    checkName(name);
    const { fields, updates } = this.#state;
    updates.delete(name);
    if (!Object.hasOwn(fields, name)) return false;
    delete fields[name];
    this.#state.dirty = true;
    return true;
  }

  /** Removes all fields. */
  clear(): void {
    this.#state.fields = {};
    this.#state.updates.clear();
    this.#state.dirty = true;
  }

  /** Iterates over the fields, as pairs of name and value. */
  *entries(): IterableIterator<[string, F[keyof F]]> {
    for (const entry of Object.entries(this.#state.fields)) yield entry as [string, F[keyof F]];
  }

  /**
   * Whether set, update, delete, clear, ttl, regenerate or setDirty has changed the session. It does not see
   * changes inside a value; storeSession finds those, because it compares encoded bytes.
   */
  isDirty(): boolean {
    return this.#state.dirty;
  }

  /** Marks the session as changed, or with false as unchanged. */
  setDirty(dirty: boolean = true): void {
    this.#state.dirty = checkBoolean(dirty, "dirty");
  }

  /** Whether expiring() was called or absoluteTtl has passed. */
  isExpired(): boolean {
    return this.#state.expired || hasEnded(this.#state.createdAt, this.#state.home);
  }

  /** Marks the session as expired, so that storeSession deletes it. destroy() calls it. */
  expiring(): void {
    this.#state.expired = true;
  }

  /** Ends the session: the next storeSession deletes it. */
  destroy(): void {
    this.expiring();
    this.#state.destroyed = true;
  }

  /** Whether destroy() was called. */
  get destroyed(): boolean {
    return this.#state.destroyed;
  }

  /**
   * Gives the session a new id at once; the next storeSession moves it there. Until then other requests may
   * use the old id: fields that they store are merged, and after their logout storeSession says "gone". If
   * storeSession cannot confirm the move, it rejects, the session stays dirty and the next storeSession goes
   * on. Until the move is confirmed the session may exist under both ids. It always exists under one at
   * least, unless the old id's server loses within a minute what it was given.
   */
  regenerate(): void {
    const state = this.#state;
    state.id = newId();
    state.key = state.home.ids.key(state.id);
    state.barred = false;
    state.dirty = true;
  }
}

function checkName(name: unknown): void {
  if (typeof name === "string") return;
  throw invalidType(`a field's name must be a string, not ${kindOf(name)}`);
}
