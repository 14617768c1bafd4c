/** What a reply means for the caller of a command: a value, an answer, or a miss. */
import type { Finish } from "../connection/request.ts";
import { UnsupportedError } from "../errors.ts";
import { Kind, type Reply, UNKNOWN_TTL } from "../protocol/reply.ts";
import { isStub } from "../protocol/stub.ts";
import type { Item } from "./item.ts";
import type { ValueCodec } from "./values/codec.ts";

/** The value, or undefined when absent. */
export function valueResult<T>(codec: ValueCodec<T>): Finish<T | undefined> {
  return (reply, request) => {
    if (reply.kind === Kind.value) {
      return codec.decode(reply, request.key);
    }
    // In the classic dialect the answer to `touch` follows the value. "Not found" means that the value
    // has expired in between.
    return reply.kind === Kind.done ? request.result : undefined;
  };
}

/**
 * The value with its token, flags and ttl; `touched`: the ttl in seconds that was set with the read. The
 * server does not tell that one: in classic it tells none, in meta the one before.
 */
export function itemResult<T>(
  codec: ValueCodec<T>,
  touched: number | undefined,
): Finish<Item<T> | undefined> {
  return (reply, request) => {
    if (reply.kind === Kind.value) {
      return {
        value: codec.decode(reply, request.key),
        cas: BigInt(reply.cas),
        flags: reply.flags,
        // In classic, only the next reply tells whether the new ttl was set.
        ttl: touched !== undefined && reply.ttl !== UNKNOWN_TTL ? newTtl(touched) : ttlOf(reply),
      };
    }
    if (reply.kind !== Kind.done || request.result === undefined) return undefined;
    return { ...request.result, ttl: touched === undefined ? undefined : newTtl(touched) };
  };
}

/**
 * The value with its token, for a caller who writes by that token. A stub has a token and no value.
 */
export function claimResult<T>(codec: ValueCodec<T>): Finish<Claim<T> | undefined> {
  return (reply, request) => {
    if (reply.kind === Kind.value) {
      return { value: codec.decode(reply, request.key), cas: BigInt(reply.cas) };
    }
    return isStub(reply) ? { value: undefined, cas: BigInt(reply.cas) } : undefined;
  };
}

/** What is stored under a key, for a caller who replaces it. */
export interface Claim<T> {
  /** undefined: it is a stub. */
  readonly value: T | undefined;
  readonly cas: bigint;
}

function newTtl(touched: number): number {
  const ttl = Math.ceil(touched);
  return ttl === 0 ? Infinity : ttl;
}

function ttlOf(reply: Reply): number | undefined {
  if (reply.ttl === UNKNOWN_TTL) return undefined;
  return reply.ttl < 0 ? Infinity : reply.ttl;
}

/** Whether a value is there. Its flags alone decide that. */
export function foundResult(codec: ValueCodec): Finish<boolean> {
  return (reply) =>
    (reply.kind === Kind.value || reply.kind === Kind.done) && codec.holds(reply.flags);
}

/** The item that a refresh has found. */
export interface Refreshed {
  readonly cas: bigint;
  readonly flags: number;
}

/** The item that got a new ttl; undefined: absent. */
export const refreshResult: Finish<Refreshed | undefined> = (reply) =>
  reply.kind === Kind.value || reply.kind === Kind.done
    ? { cas: BigInt(reply.cas), flags: reply.flags }
    : undefined;

/** For commands that cannot be refused. */
export const doneResult: Finish<void> = () => undefined;

/** true: it was done; false: its condition does not hold. */
export const doneOrNotResult: Finish<boolean> = (reply) => reply.kind === Kind.done;

/** The three outcomes of cas. */
export const casResult: Finish<"stored" | "exists" | "missing"> = (reply) =>
  reply.kind === Kind.done ? "stored" : reply.kind === Kind.exists ? "exists" : "missing";

/** The three outcomes of compareAndDelete. */
export const compareAndDeleteResult: Finish<"deleted" | "exists" | "missing"> = (reply) =>
  reply.kind === Kind.done ? "deleted" : reply.kind === Kind.exists ? "exists" : "missing";

/**
 * A counter's new value; undefined: absent. Old servers pad a number with spaces if decr has made it
 * shorter.
 */
export const countResult: Finish<bigint | undefined> = (reply) =>
  reply.kind === Kind.value
    ? BigInt(reply.bytes.toString("latin1", reply.from, reply.to).trimEnd())
    : undefined;

/** What the server says of its version. */
export const versionResult: Finish<string> = (reply) => reply.text.slice("VERSION ".length);

/** Refuses the token that a server gives if it keeps no tokens. */
export function checkKeptCas(digits: string): string {
  if (digits === "0") {
    throw new UnsupportedError("the server keeps no cas tokens (it runs with -C): token 0");
  }
  return digits;
}
