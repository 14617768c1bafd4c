/** What a read of fetch has found: the upper table of exchange.ts, from top to bottom. */
import type { ConnectionRef, Finish } from "../../connection/request.ts";
import {
  asMemcachedError,
  CorruptValueError,
  ServerError,
  UnsupportedError,
} from "../../errors.ts";
import { Kind, type Reply } from "../../protocol/reply.ts";
import { ABSENT_FLAGS, LOADING_FLAGS } from "../../protocol/stub.ts";
import type { ValueCodec } from "../values/codec.ts";

/** What a read has found. */
export interface Found {
  readonly state: "hit" | "stale" | "won" | "wait" | "nothing" | "bypass";
  /** The value of a hit, of a stale item, and of a win over an old value. */
  readonly value: unknown;
  /** Whether it is a win over an old value or an old absence. */
  readonly old: boolean;
  readonly token: string;
  /** The connection that the token came over. */
  readonly connection: ConnectionRef | null;
  /** Why the cache is bypassed. */
  readonly error: unknown;
}

/** Goes through the table for a reply, from top to bottom. `nonce`: the bytes of our own stub. */
export function foundResult(codec: ValueCodec, nonce?: Uint8Array): Finish<Found> {
  return (reply, { key, connection }) => {
    const { kind, flags, size, won, leased, stale, cas } = reply;
    if (kind !== Kind.value) {
      return connection?.dialect === "meta" ? bypass(noMemory()) : found("nothing", "", connection);
    }
    if (cas === 0) {
      throw new UnsupportedError("fetch needs cas tokens, and the server keeps none (-C)");
    }
    const token = String(cas);
    if (flags === LOADING_FLAGS) {
      const mine = nonce !== undefined && isNonce(reply, nonce) && (won || !stale);
      return found(mine || (won && stale) ? "won" : "wait", token, connection);
    }
    if (flags === 0 && size === 0 && (leased || connection?.dialect !== "meta")) {
      return found(won ? "won" : "wait", token, connection);
    }
    if (won) return oldValue(reply, codec, key, token, connection);
    const value = flags === ABSENT_FLAGS ? undefined : codec.decode(reply, key);
    return found(leased ? "stale" : "hit", token, connection, value);
  };
}

/** A win over an old value. If the value cannot be read any more, the win is a cold one. */
function oldValue(
  reply: Reply,
  codec: ValueCodec,
  key: string,
  token: string,
  connection: ConnectionRef | null,
): Found {
  if (reply.flags === ABSENT_FLAGS) return found("won", token, connection, undefined, true);
  try {
    return found("won", token, connection, codec.decode(reply, key), true);
  } catch {
    return found("won", token, connection);
  }
}

/** Whether a value or an absence was there, fresh or old. */
export function isThere({ state, old }: Found): boolean {
  return state === "hit" || state === "stale" || old;
}

function found(
  state: Found["state"],
  token: string,
  connection: ConnectionRef | null,
  value: unknown = undefined,
  old: boolean = false,
): Found {
  return { state, value, old, token, connection, error: undefined };
}

/** The cache cannot be used. */
export function bypass(error: unknown): Found {
  return { state: "bypass", value: undefined, old: false, token: "", connection: null, error };
}

/**
 * The cache is bypassed because a read has failed with this error. Throws the error if it is no failure
 * of the cache.
 */
export function bypassFor(error: unknown): Found {
  const { code } = asMemcachedError(error);
  if (error instanceof CorruptValueError || code === "UNSUPPORTED" || code === "CLOSED") {
    throw error;
  }
  return bypass(error);
}

function isNonce({ bytes, from, to }: Reply, nonce: Uint8Array): boolean {
  return to - from === nonce.length && nonce.every((byte, i) => bytes[from + i] === byte);
}

function noMemory(): ServerError {
  return new ServerError("the server has no memory for the mark that a value is being loaded");
}
