/** A session as its user has it: fields with a name. */
import { invalidType } from "../errors.ts";
import { toExptime } from "../protocol/exptime.ts";
import { newId } from "./ids.ts";
import { hasEnded } from "./lifetime.ts";
import { fieldBytes, type FieldUpdate, joined, setField, updateField } from "./merge.ts";
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
    return this.#state.ttl ?? this.#state.home.ttl;
  }

  set ttl(seconds: number) {
    toExptime(seconds); // now, not when it is stored
    this.#state.ttl = seconds;
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
    const { fields, updates } = this.#state;
    setField(fields, name, value);
    updates.delete(name);
    this.#state.dirty = true;
    return this;
  }

  /**
   * Sets the field to what `fn` makes of it: now, and again from a fresh copy if storeSession finds that
   * somebody else has changed it meanwhile. So two requests that each push to one list both count, where
   * with `set` the later one wins. `fn` must not return a promise (`TypeError`); undefined takes the field
   * out. Several updates run in order; a later `set`, `delete` or `clear` of the field replaces them.
   *
   * If `fn` throws while storeSession merges, that rejects with the same error and the session stays dirty.
   * After an outcome that is unknown, `fn` can count twice. With `lastWriteWins` it runs once; after
   * destroy() it does nothing.
   *
   * @example `session.update("cart", (cart = []) => [...cart, "tea"]);`
   */
  update<K extends keyof F & string>(name: K, fn: (current: F[K] | undefined) => F[K]): this {
    if (typeof name !== "string") throw invalidType("a field's name must be a string");
    if (typeof fn !== "function") throw invalidType("update needs a function");
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

  /** Whether the field is there. */
  has(name: keyof F & string): boolean {
    return Object.hasOwn(this.#state.fields, name);
  }

  /** Takes a field out; true: it was there. */
  delete(name: keyof F & string): boolean {
    const { fields, updates } = this.#state;
    updates.delete(name);
    if (!Object.hasOwn(fields, name)) return false;
    delete fields[name];
    this.#state.dirty = true;
    return true;
  }

  /** Takes all fields out. */
  clear(): void {
    this.#state.fields = {};
    this.#state.updates.clear();
    this.#state.dirty = true;
  }

  /** The fields, with their names. */
  *entries(): IterableIterator<[string, F[keyof F]]> {
    for (const entry of Object.entries(this.#state.fields)) yield entry as [string, F[keyof F]];
  }

  /**
   * Changed by set, update, delete, clear, ttl, regenerate or setDirty; changes inside a value are found by
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
    return this.#state.expired || hasEnded(this.#state.createdAt, this.#state.home);
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
   * A new id now; storeSession moves the session to it. What others store or delete under the old id
   * meanwhile counts: a logout elsewhere makes it "gone", and no field is lost. What cannot be confirmed
   * rejects and stays dirty, and the next storeSession goes on: for a while both ids can have it, but never
   * neither, while the old id's server keeps what it was given for a minute.
   */
  regenerate(): void {
    const state = this.#state;
    state.id = newId();
    state.key = state.home.ids.key(state.id);
    state.barred = false;
    state.dirty = true;
  }
}
