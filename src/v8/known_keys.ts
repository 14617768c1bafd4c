/**
 * Objects of one kind name the same keys in the same order, so each key foretells the next. Every place
 * for objects (the top, the value of `user`, that of `user.address`...) has its known keys, ready encoded,
 * each with a guess at its successor: writing a known key is a copy, reading one a comparison.
 *
 * Keys may be chosen by strangers, so their number is bounded, and all are forgotten when the bounds
 * have refused many.
 */

const MAX_PLACES_AND_KEYS = 4096;
const MAX_KEYS_OF_PLACE = 64;
const MAX_KEY_BYTES = 40;
const MAX_REFUSALS = 16 * MAX_PLACES_AND_KEYS;
const SLOTS = 32;

const NO_BYTES = new Uint8Array(0);

/** A key in its place, or the beginning of an object there. */
export class KnownKey {
  readonly key: string;
  /** The key as it is written: tag, length, characters. */
  readonly bytes: Uint8Array;
  /** The key that followed last time. */
  next: KnownKey | null = null;
  /** The place of objects in this key's value. */
  inner: Place | null = null;
  /** The next one in the same slot. */
  sibling: KnownKey | null = null;
  /** The last look at Object.prototype that did not find this name: see prototypes.ts. */
  look = 0;

  constructor(key: string, bytes: Uint8Array) {
    this.key = key;
    this.bytes = bytes;
  }
}

/** The keys of the objects in one place. */
export class Place {
  /** What comes before the first key; its `inner` is that of all keys that are not known. */
  readonly start: KnownKey = new KnownKey("", NO_BYTES);
  readonly slots: (KnownKey | null)[] = new Array(SLOTS).fill(null);
  keys = 0;

  /** The known key of that name. */
  find(key: string): KnownKey | null {
    const length = key.length;
    let known = this.slots[slotOf(length, key.charCodeAt(0), key.charCodeAt(length - 1))];
    while (known && known.key !== key) known = known.sibling;
    return known ?? null;
  }
}

/** The slot of a key by its length, first and last character. */
export function slotOf(length: number, first: number, last: number): number {
  return (length * 5 + first * 3 + last) & (SLOTS - 1);
}

/** All places, reached from the top. */
export class KnownKeys {
  top: KnownKey = new KnownKey("", NO_BYTES);
  #count = 0;
  #refusals = 0;

  /** The place of objects in the value of `key`. */
  placeIn(key: KnownKey): Place {
    if (key.inner !== null) return key.inner;
    if (!this.#grant()) return SHARED;
    return key.inner = new Place();
  }

  /** Makes a one-byte key known, if the bounds permit; never `__proto__`, which is not assigned like others. */
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

/** Of all objects past the bounds; it has no keys and takes none. */
const SHARED = new Place();
SHARED.keys = MAX_KEYS_OF_PLACE;

/** The engine's one copy of a name: what was just read is another string, to be looked up at each use. */
function internalized(key: string): string {
  return Object.keys({ [key]: 0 })[0]!;
}

/** The number that a key is, where an array would take it for an index; else -1. */
export function arrayIndex(key: string): number {
  const first = key.charCodeAt(0);
  if (!(first >= 0x30 && first <= 0x39) || key.length > 10) return -1;
  const index = Number(key);
  return Number.isInteger(index) && index < 0xffff_ffff && String(index) === key ? index : -1;
}
