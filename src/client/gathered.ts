/** What a call for many keys has gathered so far. Keys are named by their positions in the call. */
import type { Finish, Request } from "../connection/request.ts";
import {
  asMemcachedError,
  ConnectionLostError,
  type MemcachedError,
  ServerDownError,
} from "../errors.ts";
import type { StoredItem } from "../protocol/command.ts";
import { Kind, type Reply } from "../protocol/reply.ts";
import { partialError } from "./partial.ts";
import type { Tally } from "./trace.ts";

/**
 * Makes a key's result from a reply that is not an error; ABSENT: the key has none. What it throws is the
 * key's error.
 */
export type TakeOne<R> = (reply: Reply, request: Request<unknown>) => R | typeof ABSENT;

/** One key of a call. */
export interface Entry {
  /** The key as the caller has it. */
  readonly name: string;
  /** The key as it goes over the wire, checked. */
  readonly key: string;
  /** What setMany stores under it. */
  readonly item: StoredItem | undefined;
}

/** The result of a key for which nothing was found. */
export const ABSENT: unique symbol = Symbol("absent");

/** Results and errors. */
export class Gathered<R> {
  readonly #entries: readonly Entry[];
  readonly #take: TakeOne<R>;
  readonly #results = new Map<string, R>();
  readonly #errors = new Map<number, MemcachedError>();
  /** Errors of keys that were never sent, one error for many keys: there may be very many. */
  #unasked: { readonly positions: readonly number[]; readonly error: MemcachedError }[] = [];
  /** Keys whose connection was lost before a byte of their reply came, and that may be sent again. */
  readonly #lost = new Set<number>();

  /** `entries`: the keys of the call. */
  constructor(entries: readonly Entry[], take: TakeOne<R>) {
    this.#entries = entries;
    this.#take = take;
  }

  /** Whether no key has failed. */
  get complete(): boolean {
    return this.#errors.size === 0 && this.#unasked.length === 0;
  }

  /** The function that takes each reply to a request for the keys at these positions. */
  finish(positions: readonly number[]): Finish<Tally> {
    return (reply, request) => {
      const tally = request.result!;
      const { index } = reply;
      if (reply.kind === Kind.error) {
        const meant = positions.slice(index, reply.upTo);
        tally.failed += this.#fail(meant, reply.error!);
        tally.error ??= reply.error;
        return tally;
      }
      const position = positions[index]!;
      try {
        const result = this.#take(reply, request);
        if (result === ABSENT) return tally;
        this.#results.set(this.#entries[position]!.name, result);
        tally.hits++;
      } catch (error) {
        const own = asMemcachedError(error);
        this.#errors.set(position, own);
        tally.failed++;
        tally.error ??= own;
      }
      return tally;
    };
  }

  /** The request for these keys has failed: the keys that were not answered get its error. */
  end(positions: readonly number[], request: Request<unknown>, error: MemcachedError): void {
    const unanswered = positions.slice(request.answered);
    this.#fail(unanswered, error);
    if (!(error instanceof ConnectionLostError) || !request.idempotent) return;
    if (request.retried || request.cut) return;
    for (const position of unanswered) this.#lost.add(position);
  }

  /** One error for keys that were not sent. */
  failUnasked(positions: readonly number[], error: MemcachedError): void {
    if (positions.length > 0) this.#unasked.push({ positions, error });
  }

  /**
   * Takes out the keys that may be sent again: their connection was lost, or their server was down and
   * `moves` says that they go to another one now.
   */
  takeRepeatable(moves: (position: number) => boolean): number[] {
    const repeatable: number[] = [];
    for (const [position, error] of this.#errors) {
      const lost = this.#lost.delete(position);
      if (!lost && !(error instanceof ServerDownError && moves(position))) continue;
      this.#errors.delete(position);
      repeatable.push(position);
    }
    this.#unasked = this.#unasked.map(({ positions, error }) => {
      if (!(error instanceof ServerDownError)) return { positions, error };
      const staying: number[] = [];
      for (const position of positions) (moves(position) ? repeatable : staying).push(position);
      return { positions: staying, error };
    }).filter(({ positions }) => positions.length > 0);
    return repeatable;
  }

  /** The results. Throws a PartialError that holds them if anything failed. */
  settle(): Map<string, R> {
    if (this.complete) return this.#results;
    const counts = new Map<MemcachedError, number>();
    const count = (error: MemcachedError, keys: number): unknown =>
      counts.set(error, (counts.get(error) ?? 0) + keys);
    for (const error of this.#errors.values()) count(error, 1);
    for (const { positions, error } of this.#unasked) count(error, positions.length);
    // The map of errors by key is made when somebody asks for it: at the deadline there is no time.
    const errors = (): Map<string, MemcachedError> => this.#errorsByName();
    throw partialError(this.#results, counts, errors, "keys", this.#entries.length);
  }

  #errorsByName(): Map<string, MemcachedError> {
    const errors = new Map<string, MemcachedError>();
    const set = (position: number, error: MemcachedError): unknown =>
      errors.set(this.#entries[position]!.name, error);
    for (const [position, error] of this.#errors) set(position, error);
    for (const { positions, error } of this.#unasked) {
      for (const position of positions) set(position, error);
    }
    return errors;
  }

  #fail(positions: readonly number[], error: MemcachedError): number {
    let failed = 0;
    for (const position of positions) {
      if (this.#errors.has(position)) continue;
      if (this.#results.has(this.#entries[position]!.name)) continue;
      this.#errors.set(position, error);
      failed++;
    }
    return failed;
  }
}
