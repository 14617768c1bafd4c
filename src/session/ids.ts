/** Makes new session ids, and the one key that belongs to each id. */
import { createHash, randomBytes } from "node:crypto";
import { kindOf } from "../checks/values.ts";
import { looksHashed } from "../client/wire_key.ts";
import { invalidType } from "../errors.ts";
import { checkKey, MAX_KEY_BYTES } from "../protocol/key.ts";
import { byteLength } from "../protocol/text.ts";

// 192 bits from the system's random generator; OWASP's ASVS asks for 128.
const ID_BYTES = 24;
const ID_LENGTH = 32;
// The length of a SHA-256 hash (32 bytes) in base64url.
const HIDDEN_LENGTH = 43;

/** Makes a new random id, in base64url. */
export function newId(): string {
  return randomBytes(ID_BYTES).toString("base64url");
}

/**
 * Turns ids into keys: namespace + id, or namespace + SHA-256 of the id if the store has a secret. Nobody
 * can invert the hash of 192 random bits. The secret is not part of the hash, so a key stays the same when
 * the secret changes.
 */
export class Ids {
  readonly #namespace: string;
  readonly #hidden: boolean;
  readonly #prefix: string;
  readonly #hashes: boolean;

  /**
   * Throws a `TypeError` if a key has no room for an id. `prefix` is the client's prefix, which counts
   * towards the length of a key. `hashes` says that the client hashes a key that looks as if it were hashed
   * already, so no session may have such a key.
   */
  constructor(namespace: string, hidden: boolean, prefix: string, hashes: boolean) {
    this.#namespace = namespace;
    this.#hidden = hidden;
    this.#prefix = prefix;
    this.#hashes = hashes;
    if (hashes && hidden && namespace.endsWith("#")) {
      throw invalidType('with a secret and unsafeKeys "hash" a namespace must not end in "#"');
    }
    const length = hidden ? HIDDEN_LENGTH : ID_LENGTH;
    if (byteLength(prefix + namespace) + length > MAX_KEY_BYTES) {
      throw invalidType(
        `namespace leaves no room for an id of ${length} bytes in a key of ${MAX_KEY_BYTES} bytes`,
      );
    }
  }

  /** Returns the id's key. Throws a `TypeError` if it is not a legal key, or if the id is empty. */
  key(id: string): string {
    checkId(id);
    if (id === "") throw invalidType("an id must not be empty");
    const key = this.#namespace + id;
    checkKey(key, this.#prefix);
    if (this.#hashes && !this.#hidden && looksHashed(key)) {
      throw invalidType('with unsafeKeys "hash" a session\'s key must not look like a hashed key');
    }
    return this.#hidden ? this.#hide(id) : key;
  }

  /**
   * Returns the id's key, or undefined for an illegal id, under which nothing can be stored. Throws a
   * `TypeError` for anything but a string: whoever passes a session, or a promise, means another id.
   */
  find(id: unknown): string | undefined {
    checkId(id);
    try {
      return this.key(id);
    } catch {
      return undefined;
    }
  }

  #hide(id: string): string {
    const hash = createHash("sha256").update(`memwire session id\0${this.#namespace}\0${id}`);
    return this.#namespace + hash.digest("base64url");
  }
}

function checkId(id: unknown): asserts id is string {
  if (typeof id !== "string") throw invalidType(`an id must be a string, not ${kindOf(id)}`);
}
