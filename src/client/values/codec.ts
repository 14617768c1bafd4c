/** The interface through which commands turn values into stored bytes and back. */
import { CorruptValueError, invalidType } from "../../errors.ts";
import type { Reply } from "../../protocol/reply.ts";

/** Flags have 32 bits, except in a memcached built for 64. Bit operations see only the lower 32. */
export const MAX_FLAGS: number = 0xffff_ffff;

/** The request that carries the stored form of a value. */
export interface Stored {
  /** The key as it is sent over the wire. */
  readonly key: string;
  value: Uint8Array | string;
  flags: number;
}

/** Turns values into stored bytes and back. */
export interface ValueCodec<T = unknown> {
  /** Puts the value's stored form into `stored`. The next call may overwrite the bytes if they are under 64 KiB. */
  encode(value: unknown, stored: Stored): void;
  /** Returns the value that the reply holds for the key. */
  decode(reply: Reply, key: string): T;
  /** Whether an item with these flags is a value, and not one of memwire's own records. */
  holds(flags: number): boolean;
}

/** The codec of a client, which stores counters and fetches values too. */
export interface ClientCodec extends ValueCodec {
  /** The flags of a counter's decimal digits. */
  readonly counterFlags: number;
  /**
   * Encodes the value in a form of at least one byte, or undefined if the codec has no such form. `fetch`
   * needs it, because an empty item with flags 0 is a stub.
   */
  readonly encodeNotEmpty: ((value: unknown, stored: Stored) => void) | undefined;
}

/** The error for undefined, which no codec can store. */
export function undefinedValue(): TypeError {
  return invalidType(
    "undefined cannot be stored: it could not be distinguished from an absent value",
  );
}

/** The error for flags that the table does not have. */
export function unknownFlags(flags: number): CorruptValueError {
  return new CorruptValueError(`flags ${flags} are not known`, { flags });
}

/** The error for flags that a number cannot hold exactly. */
export function inexactFlags(flags: number): CorruptValueError {
  return new CorruptValueError("flags of 2^53 or more, which no number holds exactly", { flags });
}
