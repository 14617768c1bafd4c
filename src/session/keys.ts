/** From ids to the keys that the client is handed: namespace + id, or namespace + hidden id. */
import { invalidType } from "../errors.ts";
import { checkKey, MAX_KEY_BYTES } from "../protocol/key.ts";
import { byteLength } from "../protocol/text.ts";
import { ID_LENGTH } from "./id.ts";
import { HIDDEN_ID_LENGTH, type Seal } from "./seal.ts";

/** The keys that an id may have, that to write first. */
export type KeyList = readonly [string, ...string[]];

/** Makes keys of ids. */
export class Keys {
  readonly #namespace: string;
  readonly #seal: Seal | undefined;
  readonly #prefix: string;

  /**
   * `prefix` is the client's own, which counts in the length of a key. Throws a `TypeError` if there is
   * no room for an id.
   */
  constructor(namespace: string, seal: Seal | undefined, prefix: string) {
    this.#namespace = namespace;
    this.#seal = seal;
    this.#prefix = prefix;
    const id = "x".repeat(seal === undefined ? ID_LENGTH : HIDDEN_ID_LENGTH);
    if (byteLength(prefix + namespace + id) > MAX_KEY_BYTES) {
      throw invalidType(
        `namespace leaves no room for an id of ${id.length} bytes in a key of ${MAX_KEY_BYTES}`,
      );
    }
  }

  /** The key that is written. Throws a `TypeError` for an id that makes no legal one. */
  of(id: string): string {
    return this.#all(id)[0] as string;
  }

  /** The key that is written, then the others to look under. Throws as `of` does. */
  writable(id: string): KeyList {
    return this.#all(id) as [string, ...string[]];
  }

  /** The keys to look under, in order: one for each secret, or one; none for an illegal id. */
  lookup(id: string): string[] {
    try {
      return this.#all(id);
    } catch {
      return [];
    }
  }

  #all(id: string): string[] {
    checkKey(id, ""); // by itself too: the empty id is never a session, not even under a namespace
    if (this.#seal === undefined) return [this.#key(id)];
    return this.#seal.hide(id).map((name) => this.#key(name));
  }

  #key(name: string): string {
    const key = this.#namespace + name;
    checkKey(key, this.#prefix);
    return key;
  }
}
