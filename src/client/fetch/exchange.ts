/**
 * What `fetch` sends to a server about one key, and what follows from the answers.
 *
 * The server decides who loads: it gives each stored item a token. The winner loads, and stores by a
 * `cas` line with the token that it has won. A delete, a `set`, a mark as stale or another winner changes
 * the token, so a value that was loaded from an older state is never stored. In meta, one `mg` asks,
 * makes a stub if nothing is there (N), and wins an item that is due for renewal (R). In classic, a miss
 * is followed by `add` of a stub and `gets`; by the stub's 16 random bytes, its nonce, its maker knows
 * that the token is its own.
 *
 * The answers; the first row that fits counts. X: marked as stale. W: this caller should load. Z: another
 * one does. "Aged": the token has been there for `lease` seconds, so its loader is taken for dead
 * (seen.ts).
 *
 * | what is there                  | meta                              | classic                           |
 * | ------------------------------ | --------------------------------- | --------------------------------- |
 * | error, lost, no reply in time  | bypass: load, store nothing       | the same                          |
 * | nothing                        | bypass: no memory for a stub      | add a stub and ask: own: won cold |
 * | token 0                        | UnsupportedError (-C)             | the same                          |
 * | flags 131072, no W or Z        | hit: an absence                   | the same                          |
 * | flags 131072, Z                | stale: absence; aged: rearm, ask  |                                   |
 * | flags 131072, W                | won, old value: absence           |                                   |
 * | flags 65536, own bytes         | won cold, unless X and Z          | won cold                          |
 * | flags 65536, X and W           | won cold                          |                                   |
 * | flags 65536, otherwise         | wait; aged: take over             | the same                          |
 * | flags 0, empty, W              | won cold                          |                                   |
 * | flags 0, empty, Z              | wait; aged: take over             |                                   |
 * | flags 0, empty, no W or Z      | hit: empty bytes                  | wait; aged: take over             |
 * | a value, W                     | won, old value                    |                                   |
 * | a value, Z                     | stale: the value; aged: rearm, ask |                                  |
 * | a value, no W or Z             | hit                               | the same                          |
 *
 * | afterwards                     | what is sent; C: the token, over the connection that gave it          |
 * | ------------------------------ | --------------------------------------------------------------------- |
 * | loaded a value                 | cas, exptime ttl + stale, in classic ttl                              |
 * | loaded undefined, missTtl      | cas of flags 131072, exptime missTtl + stale, in classic missTtl      |
 * | loaded undefined, no missTtl   | delete by C                                                           |
 * | that connection has ended      | delete by C over the next one, nothing is stored                      |
 * | EXISTS, NOT_FOUND, lost        | nothing: the value is returned, later callers ask again               |
 * | refused, cannot be encoded     | delete by C: the value is returned                                    |
 * | won cold, load failed          | delete by C: rejects                                                  |
 * | won with old value, failed     | still C there? then the old value, and the win is kept; else rejects  |
 * | take over                      | cas of a stub, and ask: own bytes: won cold                           |
 * | rearm                          | md I C, and ask: the next reader wins                                 |
 *
 * Never `ms` with a token: if it is refused for its size or for memory, it deletes what is there,
 * whatever the token. Tokens are only used over the connection that gave them: a server that has
 * restarted counts them from 1 again.
 */
import { randomBytes } from "node:crypto";
import { type Finish, Request } from "../../connection/request.ts";
import {
  ConflictError,
  ConnectionLostError,
  MemcachedError,
  SerializationError,
} from "../../errors.ts";
import { ABSENT_FLAGS, LOADING_FLAGS } from "../../protocol/stub.ts";
import type { Core } from "../core.ts";
import type { CheckedOptions } from "../options.ts";
import { pause } from "../pause.ts";
import { casResult, compareAndDeleteResult, doneResult } from "../results.ts";
import type { ClientCodec } from "../values/codec.ts";
import { bypass, bypassFor, type Found, foundResult } from "./found.ts";
import type { FetchSettings } from "./options.ts";
import type { Seen } from "./seen.ts";

const NONCE_BYTES = 16;
const FIRST_PAUSE_MS = 10;
const LONGEST_PAUSE_MS = 200;
const PAUSE_GROWTH = 1.5;

// Another round means that somebody has deleted the stub between `add` and `gets`, or that the server
// keeps nothing.
const MAX_CLAIMS = 10;

/** The outcome of a fetch. */
export interface Outcome {
  readonly value: unknown;
  readonly result: "hit" | "stale" | "loaded" | "waited" | "bypassed";
  /**
   * Whether the value was loaded and may have been invalidated since. A caller who came after the load
   * began asks again.
   */
  readonly doubtful: boolean;
  /** What went wrong, if something did. */
  readonly error: unknown;
}

/** What an exchange asks of its callers. */
export interface Loading {
  /** Whether nobody waits for the outcome any more. */
  readonly abandoned: boolean;
  /** Loads the value, because the key was won or the cache is bypassed. */
  load(found: Found): Promise<unknown>;
  /** Another caller loads: this one waits. */
  waits(): void;
}

/** Who sends the commands. */
export interface Sender {
  send<T>(request: Request<T>, options: CheckedOptions): Promise<T>;
}

/** What all exchanges of a client share. */
export interface Common {
  readonly core: Core;
  readonly codec: ClientCodec;
  readonly seen: Seen;
  readonly found: Finish<Found>;
}

/** The read with which each exchange begins. */
export function question(
  key: string,
  settings: FetchSettings,
  finish: Finish<Found>,
  many: boolean,
): Request<Found> {
  const request = new Request("lease", key, finish, settings.timeout);
  request.vivify = settings.stubExptime;
  request.recache = settings.recache;
  request.patient = many;
  return request;
}

/** The exchange about one key. */
export class Exchange {
  readonly key: string;
  readonly #common: Common;
  readonly #settings: FetchSettings;
  readonly #sender: Sender;
  readonly #many: boolean;

  /** `key` as it goes over the wire; `many`: it is one of several keys of a call. */
  constructor(
    key: string,
    common: Common,
    settings: FetchSettings,
    sender: Sender,
    many: boolean,
  ) {
    this.key = key;
    this.#common = common;
    this.#settings = settings;
    this.#sender = sender;
    this.#many = many;
  }

  /** Goes on from the first answer to the outcome. Rejects if `load` rejects, with the same error. */
  async run(first: Found, loading: Loading): Promise<Outcome> {
    const { seen } = this.#common;
    let found = first;
    let waited = false;
    let claims = 0;
    let ms = FIRST_PAUSE_MS;
    for (;;) {
      if (loading.abandoned) return await this.#abandon(found);
      switch (found.state) {
        case "hit":
          seen.forget(this.key);
          return outcome(found.value, waited ? "waited" : "hit");
        case "won":
          seen.forget(this.key);
          return await this.#load(found, loading);
        case "bypass":
          return outcome(await loading.load(found), "bypassed", found.error);
        case "stale":
          if (!this.#aged(found)) return outcome(found.value, "stale");
          await this.#rearm(found);
          found = await this.#ask();
          break;
        case "nothing":
          found = claims++ < MAX_CLAIMS ? await this.#plant("add") : bypass(keepsNothing());
          break;
        case "wait": {
          if (this.#aged(found)) found = await this.#plant("cas", found);
          if (found.state !== "wait") break;
          waited = true;
          loading.waits();
          await pause(ms * (0.5 + Math.random()));
          ms = Math.min(ms * PAUSE_GROWTH, LONGEST_PAUSE_MS);
          found = await this.#ask();
        }
      }
    }
  }

  async #load(won: Found, loading: Loading): Promise<Outcome> {
    let value: unknown;
    try {
      value = await loading.load(won);
    } catch (error) {
      return await this.#failed(won, error);
    }
    try {
      const stored = await this.#store(won, value);
      return outcome(value, "loaded", undefined, !stored);
    } catch (error) {
      const lost = error instanceof MemcachedError && error.ambiguous;
      if (!lost) await this.#drop(won);
      return outcome(value, "loaded", error, true);
    }
  }

  /** Stores the loaded value; false: somebody has written, deleted or invalidated the key meanwhile. */
  async #store({ token, connection }: Found, value: unknown): Promise<boolean> {
    const settings = this.#settings;
    const dialect = connection?.dialect ?? "classic";
    if (value === undefined && !settings.remembersAbsence) {
      return await this.#send(this.#deletion(token)) === "deleted";
    }
    const { core, codec } = this.#common;
    const store = this.#request("cas", casResult);
    if (value === undefined) {
      store.flags = ABSENT_FLAGS;
      store.exptime = settings.absenceExptime(dialect);
    } else {
      codec.encode(value, store);
      if (isStubLike(store)) this.#encodeEmpty(value, store);
      core.checkSize(store);
      store.exptime = settings.valueExptime(dialect);
    }
    store.cas = token;
    store.bind(connection);
    return await this.#send(store) === "stored";
  }

  /** Empty bytes of flags 0 would read as a stub. */
  #encodeEmpty(value: unknown, store: Request<unknown>): void {
    const { codec } = this.#common;
    if (codec.encodeNotEmpty === undefined) {
      throw new SerializationError(
        "an empty value with flags 0 cannot be stored: readers take it for a value that is being loaded",
        { path: "" },
      );
    }
    codec.encodeNotEmpty(value, store);
  }

  async #failed(won: Found, error: unknown): Promise<Outcome> {
    if (!won.old) {
      await this.#drop(won);
      throw error;
    }
    // The old value may only be served if it has not been invalidated since.
    const still = this.#request("has", tokenResult);
    const token = await this.#send(still).catch(() => undefined);
    if (token !== won.token) throw error;
    this.#aged(won); // from now on the time until the next try counts
    return outcome(won.value, "stale", error);
  }

  /** Gives back a win that nobody waits for. */
  async #abandon(found: Found): Promise<Outcome> {
    if (found.state === "won") await (found.old ? this.#rearm(found) : this.#drop(found));
    return outcome(undefined, "waited");
  }

  /**
   * Stores a stub, where nothing is (`add`) or in place of an aged one (`cas`), and asks whose stub is
   * there.
   */
  async #plant(operation: "add" | "cas", aged?: Found): Promise<Found> {
    const nonce = randomBytes(NONCE_BYTES);
    const stub = this.#request<void>(operation, doneResult);
    stub.value = nonce;
    stub.flags = LOADING_FLAGS;
    stub.exptime = this.#settings.stubExptime;
    if (aged !== undefined) {
      stub.cas = aged.token;
      stub.bind(aged.connection);
    }
    const planted = this.#send(stub).then(() => undefined, (error: unknown) => error);
    const found = await this.#ask(nonce);
    if (found.state === "won") return found;
    const error = await planted;
    // If the connection was lost, the read went over another one and has told what is there.
    return error === undefined || error instanceof ConnectionLostError ? found : bypass(error);
  }

  /**
   * Asks what is there; `nonce`: the bytes of our own stub. Rejects only with errors that are no failure
   * of the cache.
   */
  async #ask(nonce?: Uint8Array): Promise<Found> {
    const { core, codec, found } = this.#common;
    const finish = core.inCallersContext(nonce === undefined ? found : foundResult(codec, nonce));
    try {
      return await this.#send(question(this.key, this.#settings, finish, this.#many));
    } catch (error) {
      return bypassFor(error);
    }
  }

  /** Makes the next reader the winner, if the token is still there. */
  async #rearm({ token, connection }: Found): Promise<void> {
    const rearm = this.#request("rearm", doneResult);
    rearm.cas = token;
    rearm.bind(connection); // another one may be to a server of the classic dialect, which has no such command
    await this.#send(rearm).catch(() => undefined); // the next read tells what is there
    this.#common.seen.forget(this.key);
  }

  /** Deletes by the token, over any connection: at worst this deletes another cached value. */
  async #drop({ token }: Found): Promise<void> {
    await this.#send(this.#deletion(token)).catch(() => undefined);
  }

  #deletion(token: string): Request<"deleted" | "exists" | "missing"> {
    const deletion = this.#request("delete", compareAndDeleteResult);
    deletion.cas = token;
    return deletion;
  }

  #aged({ token }: Found): boolean {
    return this.#common.seen.aged(this.key, token, this.#settings.lease);
  }

  #request<T>(operation: Request<T>["operation"], finish: Finish<T>): Request<T> {
    const request = new Request(operation, this.key, finish, this.#settings.timeout);
    request.patient = this.#many;
    return request;
  }

  /** Rejects even if a custom hashing throws. */
  async #send<T>(request: Request<T>): Promise<T> {
    return await this.#sender.send(request, this.#settings);
  }
}

function outcome(
  value: unknown,
  result: Outcome["result"],
  error: unknown = undefined,
  doubtful: boolean = false,
): Outcome {
  return { value, result, doubtful, error };
}

/** The token of what is there, a stub or a value; "0": nothing is there. */
const tokenResult: Finish<string> = (reply) => String(reply.cas);

function isStubLike({ flags, value }: Request<unknown>): boolean {
  return flags === 0 && value.length === 0;
}

function keepsNothing(): ConflictError {
  return new ConflictError("the mark that a value is being loaded was deleted again and again");
}
