/** From ids to the keys that the client is handed: namespace + id, or namespace + hidden id. */
import { checkKey } from "../protocol/key.ts";
import type { Seal } from "./seal.ts";

/** Makes keys of ids. */
export class Keys {
  readonly #namespace: string;
  readonly #seal: Seal | undefined;
  readonly #prefix: string;

  /** `prefix` is the client's own, which counts in the length of a key. */
  constructor(namespace: string, seal: Seal | undefined, prefix: string) {
    this.#namespace = namespace;
    this.#seal = seal;
    this.#prefix = prefix;
  }

  /** The key that is written. Throws a `TypeError` for an id that makes no legal one. */
  of(id: string): string {
    return this.#all(id)[0] as string;
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
    const names = this.#seal === undefined ? [id] : this.#seal.hide(id);
    return names.map((name) => {
      const key = this.#namespace + name;
      checkKey(key, this.#prefix);
      return key;
    });
  }
}
