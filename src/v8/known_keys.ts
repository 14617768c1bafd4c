/**
 * Objects of one kind have the same keys in the same order, so each key predicts the next. Every place
 * for objects (the top, the value of `user`, the value of `user.address`...) keeps its known keys in encoded
 * form, each with a guess at the key after it. Then writing a known key is a copy, and reading one is a
 * comparison.
 *
 * Strangers may choose the keys, so the number of known keys is bounded. When the bounds have refused many,
 * all known keys are forgotten.
 */

const MAX_PLACES_AND_KEYS = 4096;
const MAX_KEYS_OF_PLACE = 64;
const MAX_KEY_BYTES = 40;
const MAX_REFUSALS = 16 * MAX_PLACES_AND_KEYS;
const SLOTS = 32;

const NO_BYTES = new Uint8Array(0);

/** A key in its place. A key without a name stands for the beginning of an object there. */
export class KnownKey {
  readonly key: string;
  /** The encoded key: tag, length, characters. */
  readonly bytes: Uint8Array;
  /** The key that followed last time. */
  next: KnownKey | null = null;
  /** The place for objects in this key's value. */
  inner: Place | null = null;
  /** The next one in the same slot. */
  sibling: KnownKey | null = null;
  /** The last look at Object.prototype that did not find this name; see prototypes.ts. */
  look = 0;

  constructor(key: string, bytes: Uint8Array) {
    this.key = key;
    this.bytes = bytes;
  }
}

/** The keys of the objects in one place. */
export class Place {
  /** What comes before the first key. All keys that are not known share its `inner`. */
  readonly start: KnownKey = new KnownKey("", NO_BYTES);
  readonly slots: (KnownKey | null)[] = new Array(SLOTS).fill(null);
  keys = 0;

  /** Returns the known key of this name, or null. */
  find(key: string): KnownKey | null {
    const length = key.length;
    let known = this.slots[slotOf(length, key.charCodeAt(0), key.charCodeAt(length - 1))];
    while (known && known.key !== key) known = known.sibling;
    return known ?? null;
  }
}

/** Computes a key's slot from its length, first and last character. */
export function slotOf(length: number, first: number, last: number): number {
  return (length * 5 + first * 3 + last) & (SLOTS - 1);
}

/** All places, which are reached from the top. */
export class KnownKeys {
  top: KnownKey = new KnownKey("", NO_BYTES);
  #count = 0;
  #refusals = 0;

  /** Returns the place for objects in the value of `key`. */
  placeIn(key: KnownKey): Place {
    if (key.inner !== null) return key.inner;
    if (!this.#grant()) return SHARED;
    return key.inner = new Place();
  }

  /** Makes a one-byte key known if the bounds allow it; never `__proto__`, which must not be assigned. */
  add(place: Place, key: string, bytes: Uint8Array): KnownKey | null {
    if (bytes.length > MAX_KEY_BYTES || bytes.length < 3 || key === "__proto__") return null;
    if (place.keys === MAX_KEYS_OF_PLACE || !this.#grant()) return null;
    const known = new KnownKey(internalized(key), new Uint8Array(bytes));
    const slot = slotOf(key.length, key.charCodeAt(0), key.charCodeAt(key.length - 1));
    known.sibling = place.slots[slot]!;
    place.slots[slot] = known;
    place.keys++;
    return known;
  }

  #grant(): boolean {
    if (this.#count < MAX_PLACES_AND_KEYS) {
      this.#count++;
      return true;
    }
    if (++this.#refusals > MAX_REFUSALS) {
      this.top = new KnownKey("", NO_BYTES);
      this.#count = 0;
      this.#refusals = 0;
    }
    return false;
  }
}

/** The place that all objects past the bounds share. It has no keys and accepts none. */
const SHARED = new Place();
SHARED.keys = MAX_KEYS_OF_PLACE;

/** Returns the engine's own copy of a name. A string that was just read would be looked up at each use. */
function internalized(key: string): string {
  return Object.keys({ [key]: 0 })[0]!;
}

/** Returns the key as a number if an array would take it for an index, otherwise -1. */
export function arrayIndex(key: string): number {
  const first = key.charCodeAt(0);
  if (!(first >= 0x30 && first <= 0x39) || key.length > 10) return -1;
  const index = Number(key);
  return Number.isInteger(index) && index < 0xffff_ffff && String(index) === key ? index : -1;
}
