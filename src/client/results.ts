/** What a reply means for the caller of a command: a value, an answer, or nothing there. */
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
    // The answer to the classic dialect's `touch`, which follows the value: not found means that the
    // value has expired in between.
    return reply.kind === Kind.done ? request.result : undefined;
  };
}

/**
 * The value with its token, flags and TTL; `touched`: the TTL in seconds that was set with it. The
 * server does not tell it: in classic none, in meta the one before.
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
        // Classic tells only in the next reply whether the new TTL was set.
        ttl: touched !== undefined && reply.ttl !== UNKNOWN_TTL ? newTtl(touched) : ttlOf(reply),
      };
    }
    if (reply.kind !== Kind.done || request.result === undefined) return undefined;
    return { ...request.result, ttl: touched === undefined ? undefined : newTtl(touched) };
  };
}

/**
 * The value with its token, for who writes by that token: over a stub too, which has a token and no
 * value.
 */
export function claimResult<T>(codec: ValueCodec<T>): Finish<Claim<T> | undefined> {
  return (reply, request) => {
    if (reply.kind === Kind.value) {
      return { value: codec.decode(reply, request.key), cas: BigInt(reply.cas) };
    }
    return isStub(reply) ? { value: undefined, cas: BigInt(reply.cas) } : undefined;
  };
}

/** What stands under a key, for who replaces it. */
export interface Claim<T> {
  /** undefined: a stub stands there. */
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

/** Whether a value is there, told by its flags alone. */
export function foundResult(codec: ValueCodec): Finish<boolean> {
  return (reply) =>
    (reply.kind === Kind.value || reply.kind === Kind.done) && codec.holds(reply.flags);
}

/** What a refresh has found under the key. */
export interface Refreshed {
  readonly cas: bigint;
  readonly flags: number;
}

/** What was given a new TTL; undefined: absent. */
export const refreshResult: Finish<Refreshed | undefined> = (reply) =>
  reply.kind === Kind.value || reply.kind === Kind.done
    ? { cas: BigInt(reply.cas), flags: reply.flags }
    : undefined;

/** It was done. */
export const doneResult: Finish<void> = () => undefined;

/** true: it was done; false: its condition does not hold. */
export const doneOrNotResult: Finish<boolean> = (reply) => reply.kind === Kind.done;

/** The three outcomes of cas. */
export const casResult: Finish<"stored" | "exists" | "missing"> = (reply) =>
  reply.kind === Kind.done ? "stored" : reply.kind === Kind.exists ? "exists" : "missing";

/** The three outcomes of compareAndDelete. */
export const compareAndDeleteResult: Finish<"deleted" | "exists" | "missing"> = (reply) =>
  reply.kind === Kind.done ? "deleted" : reply.kind === Kind.exists ? "exists" : "missing";

/** A counter's new value; undefined: absent. Old servers pad what decr has made shorter. */
export const countResult: Finish<bigint | undefined> = (reply) =>
  reply.kind === Kind.value
    ? BigInt(reply.bytes.toString("latin1", reply.from, reply.to).trimEnd())
    : undefined;

/** What the server says of its version. */
export const versionResult: Finish<string> = (reply) => reply.text.slice("VERSION ".length);

/** Refuses a token that no server gives to an item: it keeps none. */
export function checkKeptCas(digits: string): string {
  if (digits === "0") {
    throw new UnsupportedError("the server keeps no cas tokens (it runs with -C): token 0");
  }
  return digits;
}
