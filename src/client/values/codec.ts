/** What turns values into stored bytes and back: the interface that commands know. */
import { CorruptValueError, invalidType } from "../../errors.ts";
import type { Reply } from "../../protocol/reply.ts";

/** Flags have 32 bits, but in a memcached that was built for 64. Bit operations see the lower 32 alone. */
export const MAX_FLAGS: number = 0xffff_ffff;

/** Where the stored form of a value goes: a request. */
export interface Stored {
  /** As it goes over the wire. */
  readonly key: string;
  value: Uint8Array | string;
  flags: number;
}

/** Turns values into stored bytes and back. */
export interface ValueCodec<T = unknown> {
  /** Puts the value's stored form into `stored`. The bytes may be overwritten by the next call, if under 64 KiB. */
  encode(value: unknown, stored: Stored): void;
  /** The value that the reply brings for the key. */
  decode(reply: Reply, key: string): T;
  /** Whether what is stored with these flags is a value, not something of memwire's own. */
  holds(flags: number): boolean;
}

/** The codec of a client, which stores counters and fetches values too. */
export interface ClientCodec extends ValueCodec {
  /** The flags of a counter's decimal digits. */
  readonly counterFlags: number;
  /**
   * The same value in a form of at least one byte. `fetch` needs it, because no bytes under flags 0 are a
   * stub; undefined: the codec has no such form.
   */
  readonly encodeNotEmpty: ((value: unknown, stored: Stored) => void) | undefined;
}

/** The refusal of the one value that nobody can store. */
export function undefinedValue(): TypeError {
  return invalidType("undefined cannot be stored: it could not be told from an absent value");
}

/** The error for flags that the table does not have. */
export function unknownFlags(flags: number): CorruptValueError {
  return new CorruptValueError(`flags ${flags} are not known`, { flags });
}

/** The error for flags that a number cannot hold exactly. */
export function inexactFlags(flags: number): CorruptValueError {
  return new CorruptValueError("flags of 2^53 or more, which no number holds exactly", { flags });
}
