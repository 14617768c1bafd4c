/**
 * A lock: an item with a ttl, whose value is 16 random bytes of its holder, the nonce.
 *
 * | step    | what is sent                              | it is ours if                             |
 * | ------- | ----------------------------------------- | ----------------------------------------- |
 * | lock    | add of the nonce, and a read, in one write | the read gives the nonce: its token       |
 * | extend  | cas by the token, and the same read       | the read gives the nonce: its new token   |
 * | release | delete by the token                       | it is deleted                             |
 *
 * A token counts only over the connection that it came over, since a server that has restarted counts
 * tokens from 1 again. If that connection was lost, or the token was refused, extend and release
 * therefore read again: if our nonce is still stored there, they go on with its present token. A read
 * also settles a lost reply.
 */
import { randomBytes } from "node:crypto";
import { readOptions } from "../checks/options.ts";
import { checkMs, checkSeconds } from "../checks/values.ts";
import { clearTimeout, setTimeout } from "../connection/clock.ts";
import { type ConnectionRef, type Finish, Request } from "../connection/request.ts";
import { ConflictError, MemcachedError, UnsupportedError } from "../errors.ts";
import { toExptime } from "../protocol/exptime.ts";
import { Kind } from "../protocol/reply.ts";
import type { Core } from "./core.ts";
import { Deadline } from "./deadline.ts";
import { type CallOptions, type CheckedOptions, checkedOptions } from "./options.ts";
import type { Lock } from "./held_lock.ts";
import { pause } from "./pause.ts";
import { compareAndDeleteResult, doneOrNotResult } from "./results.ts";

/** Options of lock. */
interface LockOptions extends CallOptions {
  /** Seconds until the lock ends by itself, at least 2. */
  ttl: number;
  /** Milliseconds to wait while another holds the lock. Default 0. */
  wait?: number | undefined;
}

const NONCE_BYTES = 16;
const LEAST_TTL = 2;
const FIRST_PAUSE_MS = 5;
const LONGEST_PAUSE_MS = 50;
const PAUSE_GROWTH = 1.5;

// Each further try means that the connection was lost again, or that an extension was running at the same
// time.
const MAX_TRIES = 5;

/** The lock, or undefined if another holds it for all of the time that the caller would wait. */
export async function lock(
  core: Core,
  key: string,
  options: LockOptions,
): Promise<Lock | undefined> {
  const given = readOptions<LockOptions>(options, {
    timeout: undefined,
    signal: undefined,
    ttl: undefined,
    wait: undefined,
  });
  const { timeout, signal, ttl, wait = 0 } = given;
  const call = checkedOptions(timeout, signal, undefined, core.options.timeout);
  const wireKey = core.wireKey(key);
  const seconds = checkTtl(ttl);
  if (wait !== 0) checkMs(wait, "wait");
  return await core.run(call, async () => {
    const end = core.sweep.now() + wait;
    for (let ms = FIRST_PAUSE_MS;; ms = Math.min(ms * PAUSE_GROWTH, LONGEST_PAUSE_MS)) {
      const held = new HeldLock(core, wireKey, call, seconds);
      if (await held.acquire()) return held;
      const remaining = end - core.sweep.now();
      if (remaining <= 0) return undefined;
      await pause(Math.min(ms * (0.5 + Math.random()), remaining), signal);
    }
  });
}

function checkTtl(ttl: unknown): number {
  const seconds = checkSeconds(ttl, "ttl", LEAST_TTL, Number.MAX_VALUE);
  toExptime(seconds + 1);
  return seconds;
}

/** Our nonce, as it was read under the key of the lock. */
interface Standing {
  readonly token: string;
  readonly connection: ConnectionRef | null;
}

class HeldLock implements Lock {
  readonly #core: Core;
  readonly #key: string;
  readonly #call: CheckedOptions;
  readonly #ttl: number;
  readonly #nonce = randomBytes(NONCE_BYTES);
  readonly #controller = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Our nonce as it was last read; undefined: it was not there, or that is unknown. */
  #standing: Standing | undefined;
  #token = 0n;

  constructor(core: Core, key: string, call: CheckedOptions, ttl: number) {
    this.#core = core;
    this.#key = key;
    this.#call = call;
    this.#ttl = ttl;
  }

  get token(): bigint {
    return this.#token;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Takes the lock; false: another holds it. */
  async acquire(): Promise<boolean> {
    const begun = this.#core.sweep.now();
    const { timeout, signal } = this.#call;
    const deadline = new Deadline(this.#core.sweep, timeout, signal);
    if (!await this.#write("add", this.#ttl, deadline)) return false;
    this.#warnAt(begun, this.#ttl);
    return true;
  }

  async extend(ttl: number = this.#ttl): Promise<boolean> {
    const seconds = checkTtl(ttl);
    const begun = this.#core.sweep.now();
    const ours = await this.#byToken((deadline) => this.#write("cas", seconds, deadline));
    if (ours) this.#warnAt(begun, seconds);
    return ours;
  }

  async release(): Promise<boolean> {
    const released = await this.#byToken(async (deadline) => {
      const { token, connection } = this.#standing!;
      const options = deadline.options();
      const deletion = this.#request("delete", compareAndDeleteResult, options);
      deletion.cas = token;
      deletion.bind(connection);
      return await this.#core.send(deletion, options) === "deleted";
    });
    clearTimeout(this.#timer);
    this.#standing = undefined;
    return released;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release().catch(() => undefined);
  }

  /**
   * Does something by the token. If that is refused or lost, does it again by the token that the nonce
   * has now.
   */
  async #byToken(act: (deadline: Deadline) => Promise<boolean>): Promise<boolean> {
    const { timeout } = this.#call;
    return await this.#core.run({ timeout }, async (deadline) => {
      for (let tries = 1;; tries++) {
        if (tries > 1 || this.#standing === undefined) await this.#look(deadline);
        if (this.#standing === undefined) break;
        try {
          if (await act(deadline)) return true;
          if (tries === MAX_TRIES) throw keepsChanging();
        } catch (error) {
          if (!isLost(error) || tries === MAX_TRIES) throw error;
        }
      }
      this.#controller.abort();
      return false;
    });
  }

  /** Writes the nonce, and in the same write reads whose nonce is there. A read settles a lost reply. */
  async #write(operation: "add" | "cas", ttl: number, deadline: Deadline): Promise<boolean> {
    const options = deadline.options();
    const store = this.#request(operation, doneOrNotResult, options);
    store.value = this.#nonce;
    // By memcached's clock an item may end up to a second early.
    store.exptime = toExptime(ttl + 1);
    if (operation === "cas") {
      store.cas = this.#standing?.token ?? "";
      store.bind(this.#standing?.connection ?? null);
    }
    const reply = this.#core.send(store, options).catch((error: unknown) => new Failed(error));
    const looked = this.#look(deadline).catch(() => this.#look(deadline));
    const [stored, seen] = await Promise.all([
      reply,
      looked.catch((error: unknown) => new Failed(error)),
    ]);
    if (stored instanceof Failed && !isLost(stored.error)) throw stored.error;
    // It is unknown whether it was done. Of the two errors, that of the write says so.
    if (seen instanceof Failed) throw stored instanceof Failed ? stored.error : seen.error;
    if (this.#standing === undefined) return false;
    return operation === "add" || stored === true;
  }

  /** Reads whether our nonce is there, and with which token. */
  async #look(deadline: Deadline): Promise<void> {
    const options = deadline.options();
    const nonce = this.#nonce;
    const read = this.#request<Standing | undefined>("gets", (reply, { connection, result }) => {
      if (reply.kind !== Kind.value) return result;
      const { bytes, from, to, cas } = reply;
      const ours = to - from === nonce.length && nonce.every((byte, i) => bytes[from + i] === byte);
      return ours ? { token: String(cas), connection } : undefined;
    }, options);
    this.#standing = await this.#core.send(read, options);
    if (this.#standing === undefined) return;
    this.#token = BigInt(this.#standing.token);
    if (this.#token === 0n) {
      throw new UnsupportedError("lock needs cas tokens, and the server keeps none (-C)");
    }
  }

  #warnAt(begun: number, ttl: number): void {
    clearTimeout(this.#timer);
    const ms = begun + (ttl - 1) * 1000 - this.#core.sweep.now();
    this.#timer = setTimeout(() => this.#controller.abort(), Math.min(ms, MAX_TIMER_MS));
    this.#timer.unref();
  }

  #request<T>(
    operation: Request<T>["operation"],
    finish: Finish<T>,
    { timeout }: CheckedOptions,
  ): Request<T> {
    return new Request(operation, this.#key, finish, timeout);
  }
}

class Failed {
  readonly error: unknown;

  constructor(error: unknown) {
    this.error = error;
  }
}

// A timer with a longer delay fires at once.
const MAX_TIMER_MS = 2 ** 31 - 1;

function keepsChanging(): ConflictError {
  return new ConflictError(
    `the lock is ours, but its token has changed ${MAX_TRIES} times in the meantime`,
  );
}

function isLost(error: unknown): boolean {
  return error instanceof MemcachedError && error.code === "CONNECTION_LOST";
}
