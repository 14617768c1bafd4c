/** Session ids: how new ones are made, and the one key of each. */
import { createHash, randomBytes } from "node:crypto";
import { invalidType } from "../errors.ts";
import { checkKey, MAX_KEY_BYTES } from "../protocol/key.ts";
import { byteLength } from "../protocol/text.ts";

// 192 bits from the system's generator; OWASP's ASVS asks for 128.
const ID_BYTES = 24;
const ID_LENGTH = 32;
// 32 bytes in base64url.
const HIDDEN_LENGTH = 43;

/** A new id, in base64url. */
export function newId(): string {
  return randomBytes(ID_BYTES).toString("base64url");
}

/**
 * Makes keys of ids: namespace + id, or with a secret namespace + SHA-256. Nobody can turn round the
 * hash of 192 random bits, and the key does not change when secrets do.
 */
export class Ids {
  readonly #namespace: string;
  readonly #hidden: boolean;
  readonly #prefix: string;

  /**
   * `prefix` is the client's own, which counts in the length of a key. Throws a `TypeError` if there is
   * no room for an id.
   */
  constructor(namespace: string, hidden: boolean, prefix: string) {
    this.#namespace = namespace;
    this.#hidden = hidden;
    this.#prefix = prefix;
    const length = hidden ? HIDDEN_LENGTH : ID_LENGTH;
    if (byteLength(prefix + namespace) + length > MAX_KEY_BYTES) {
      throw invalidType(
        `namespace leaves no room for an id of ${length} bytes in a key of ${MAX_KEY_BYTES}`,
      );
    }
  }

  /** The id's key. Throws a `TypeError` for an id that makes no legal one; the empty id never does. */
  key(id: string): string {
    if (id === "") throw invalidType("an id must not be empty");
    if (typeof id !== "string") throw invalidType(`an id must be a string, not ${typeof id}`);
    const key = this.#namespace + id;
    checkKey(key, this.#prefix);
    return this.#hidden ? this.#hide(id) : key;
  }

  /** The id's key; undefined for an illegal id, under which nothing can be stored. */
  find(id: unknown): string | undefined {
    try {
      return this.key(id as string);
    } catch {
      return undefined;
    }
  }

  #hide(id: string): string {
    const hash = createHash("sha256").update(`memwire session id\0${this.#namespace}\0${id}`);
    return this.#namespace + hash.digest("base64url");
  }
}
