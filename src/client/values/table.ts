/** The codec for other clients' values, built from the table that each client's file describes. */
import type { Buffer } from "node:buffer";
import { SerializationError } from "../../errors.ts";
import type { Reply } from "../../protocol/reply.ts";
import { isWellFormed } from "../../protocol/text.ts";
import {
  type ClientCodec,
  inexactFlags,
  MAX_FLAGS,
  type Stored,
  undefinedValue,
  unknownFlags,
} from "./codec.ts";
import { compressed, expanded, type Expander, type Limits, type Method } from "./compression.ts";

/** How another client stores values. */
export interface Table {
  /** The flags that this client gives to a new counter. */
  readonly counterFlags: number;
  /** undefined: the client compresses nothing. */
  readonly compression?: TableCompression;
  /** Puts the value's plain form into `stored`. Throws the error of {@link unstorable}. */
  encode(value: unknown, stored: Stored): void;
  /** Returns the value that the plain bytes hold. */
  decode(bytes: Buffer, from: number, to: number, flags: number): unknown;
}

/** How another client compresses. */
export interface TableCompression {
  /** The method that compresses new values. */
  readonly method: Method;
  /** The bits that mark them. */
  readonly flags: number;
  /** Whether the client compresses values of this plain form at all. */
  compresses(stored: Stored): boolean;
  /** The method by which a value was compressed; undefined: it is plain. May throw a CorruptValueError. */
  methodOf(flags: number): Expander | undefined;
}

/** The codec of a table. */
export class TableCodec implements ClientCodec {
  readonly counterFlags: number;
  readonly encodeNotEmpty: undefined;
  readonly #table: Table;
  readonly #limits: Limits;

  constructor(table: Table, limits: Limits) {
    this.#table = table;
    this.#limits = limits;
    this.counterFlags = table.counterFlags;
  }

  encode(value: unknown, stored: Stored): void {
    if (value === undefined) throw undefinedValue();
    this.#table.encode(value, stored);
    const { compression } = this.#table;
    if (compression === undefined || !compression.compresses(stored)) return;
    const smaller = compressed(stored, this.#limits, compression.method);
    if (smaller === undefined) return;
    stored.value = smaller;
    stored.flags |= compression.flags;
  }

  decode({ bytes, from, to, flags }: Reply): unknown {
    if (!Number.isSafeInteger(flags)) throw inexactFlags(flags);
    if (flags > MAX_FLAGS) throw unknownFlags(flags);
    const method = this.#table.compression?.methodOf(flags);
    if (method === undefined) return this.#table.decode(bytes, from, to, flags);
    const plain = expanded(bytes.subarray(from, to), flags, this.#limits, method);
    return this.#table.decode(plain, 0, plain.length, flags);
  }

  holds(): boolean {
    return true;
  }
}

/** The error for a value that a client cannot store. */
export function unstorable(client: string, what: string, path: string = ""): SerializationError {
  const where = path === "" ? "" : `${path}: `;
  return new SerializationError(`${where}${client} cannot store ${what}`, { path });
}

/** Returns the text. Throws if it cannot be written as UTF-8. */
export function checkText(text: string, client: string): string {
  if (isWellFormed(text)) return text;
  throw unstorable(client, "text with half of a surrogate pair");
}
