/**
 * Turns bytes into values. Primitives, plain objects and arrays are decoded here, all other objects in
 * `decode_builtins.ts`. Whatever the bytes claim, time and memory stay in proportion to their number.
 */
import { readBuiltin, readViewsOf } from "./decode_builtins.ts";
import { type KnownKey, KnownKeys, type Place, slotOf } from "./known_keys.ts";
import { Budget } from "./limits.ts";
import { currentLook, inheritsIndex, isInherited } from "./prototypes.ts";
import { corrupt, Reader } from "./reader.ts";

/** The largest index of an array. */
const MAX_INDEX = 0xffff_fffe;

/** A look that never holds, for arrays: the names of their prototype are checked each time. */
const NEVER = -1;

const knownKeys = new KnownKeys();

/** Reads one value. */
export class Decoder extends Reader {
  /** All objects of the value, by id. */
  readonly objects: object[] = [];
  /** The format's version, from the header. */
  version = 0;
  #budget: Budget | null = null;
  /** What is known about the prototypes' names; see prototypes.ts. */
  readonly #look = currentLook();
  readonly #size: number;
  /** How many more objects may be nested below this point. */
  #depth: number;

  constructor(bytes: Uint8Array, start: number, end: number, maxDepth: number) {
    super(bytes, start, end);
    this.#depth = maxDepth;
    this.#size = end - start;
  }

  /** What this value may still use of the limits. */
  get budget(): Budget {
    return this.#budget ??= new Budget();
  }

  /** Counts an object that takes far more memory than the bytes that encode it. */
  takeHeavy(weight: number): void {
    if (!this.budget.takeHeavy(weight, this.#size)) {
      throw corrupt("it has too many objects for its number of bytes");
    }
  }

  /** Reads the header and the value, after which nothing may follow. */
  run(): unknown {
    this.#header();
    const value = this.value(knownKeys.top);
    if (this.pos !== this.end) throw corrupt("bytes follow its end");
    return value;
  }

  #header(): void {
    const { buf, pos, end } = this;
    if (end - pos >= 4 && isJavaScriptCore(buf, pos)) {
      throw corrupt("Bun's own node:v8 wrote it, in JavaScriptCore's format");
    }
    if (this.byte() !== 0xff) throw corrupt("it has no header");
    this.version = this.varint();
    if (this.version < 13 || this.version > 16) {
      throw corrupt(`its version is ${this.version}, not 13 to 16`);
    }
  }

  /** Skips padding and reads the next tag. */
  tag(): number {
    let tag = this.byte();
    while (tag === 0) tag = this.byte();
    return tag;
  }

  /** Skips padding, then takes `tag` if it follows. Returns whether it did. */
  takes(tag: number): boolean {
    while (this.pos < this.end && this.buf[this.pos] === 0) this.pos++;
    if (this.pos >= this.end || this.buf[this.pos] !== tag) return false;
    this.pos++;
    return true;
  }

  /** Reads any value. `within` is the key whose value it is, or is part of. */
  value(within: KnownKey): unknown {
    const tag = this.tag();
    switch (tag) {
      case 0x22: // "
        return this.latin1(this.varint());
      case 0x49: // I
        return this.zigzag();
      case 0x54: // T
        return true;
      case 0x46: // F
        return false;
      case 0x30: // 0
        return null;
      case 0x5f: // _
        return undefined;
      case 0x4e: // N
        return this.double();
      case 0x63: // c
        return this.utf16(this.varint());
      case 0x53: // S
        return this.utf8(this.varint());
      case 0x55: // U
        return this.varint();
      case 0x5a: // Z
        return this.bigint();
      case 0x6f: // o
        return this.#plain(within);
      case 0x41: // A
        return this.#denseArray(within);
      case 0x61: // a
        return this.#sparseArray(within);
      case 0x5e: // ^
        return this.#reference();
      case 0x3f: // ?
        do this.varint(); while (this.takes(0x3f)); // not by recursion: a million would overflow the stack
        return this.value(within);
      default:
        return readBuiltin(this, tag, within);
    }
  }

  /** Reads a string, which begins with one of three tags. */
  string(): string {
    const tag = this.tag();
    if (tag === 0x22) return this.latin1(this.varint()); // "
    if (tag === 0x63) return this.utf16(this.varint()); // c
    if (tag === 0x53) return this.utf8(this.varint()); // S
    throw corrupt("it has something else in place of a string");
  }

  /** Begins an object and gives it its id. Its contents follow until `close`. */
  open<T extends object>(object: T): T {
    if (--this.#depth < 0) throw corrupt("its objects are nested too deeply");
    const { objects } = this;
    if (!inheritsIndex(objects.length + 1)) objects.push(object);
    else define(objects, objects.length, object);
    return object;
  }

  /** Ends an object. */
  close<T extends object>(object: T): T {
    this.#depth++;
    return object;
  }

  /** `^`: the id of an earlier object. If that is a buffer, a view tag may follow as after the buffer itself. */
  #reference(): unknown {
    const object = this.objects[this.varint()];
    if (object === undefined) throw corrupt("it refers to an object that is not there");
    return object instanceof ArrayBuffer ? readViewsOf(this, object) : object;
  }

  /** `o`: keys and values up to `{`, then their count. */
  #plain(within: KnownKey): object {
    const object = this.open({});
    this.#count(this.#properties(object, 0x7b, within));
    return this.close(object);
  }

  /** `A`: length, that many values or holes, named properties up to `$`, their count, the length again. */
  #denseArray(within: KnownKey): unknown[] {
    const array = this.open([] as unknown[]);
    const length = this.varint();
    if (length > this.end - this.pos) throw corrupt("it ends too early");
    const assigned = !inheritsIndex(length);
    for (let i = 0; i < length; i++) {
      if (this.takes(0x2d)) array.length = i + 1; // -
      else if (assigned) array[i] = this.value(within);
      else define(array, i, this.value(within));
    }
    this.#count(this.#properties(array, 0x24, within));
    this.#count(length);
    return this.close(array);
  }

  /** `a`: length, indexes and names up to `@`, their count, the length again. */
  #sparseArray(within: KnownKey): unknown[] {
    const length = this.varint();
    const array = this.open(this.#emptyArray(length));
    this.#count(this.#properties(array, 0x40, within));
    this.#count(length);
    return this.close(array);
  }

  /** Makes an array of holes. Past the budget it is one for which the engine reserves no slots at any length. */
  #emptyArray(length: number): unknown[] {
    const array: unknown[] = [];
    if (this.budget.takeHoles(length)) array.length = length;
    else {
      array[MAX_INDEX] = 0;
      delete array[MAX_INDEX];
      array.length = length;
    }
    return array;
  }

  #count(expected: number): void {
    if (this.varint() !== expected) throw corrupt("it has a wrong count");
  }

  /** Reads keys and values into `target` up to the tag `end`. Returns how many there were. */
  #properties(target: object, end: number, within: KnownKey): number {
    const properties = target as Record<string, unknown>;
    const plain = end === 0x7b;
    const look = plain ? this.#look : NEVER;
    const place = knownKeys.placeIn(within);
    let last = place.start;
    for (let count = 0;; count++) {
      const next = last.next;
      if (next !== null && this.#isNext(next.bytes)) {
        last = next;
      } else {
        if (this.takes(end)) return count;
        const key = this.#knownKey(last, place);
        if (key === null) {
          last = place.start;
          this.#unknownKey(properties, last);
          continue;
        }
        last = key;
      }
      const value = this.value(last);
      if (last.look === look || this.#mayAssign(last, target, plain)) properties[last.key] = value;
      else define(target, last.key, value);
    }
  }

  /** Whether a name may be assigned. For plain objects the answer is remembered as long as this look holds. */
  #mayAssign(name: KnownKey, target: object, plain: boolean): boolean {
    if (!plain) return !(name.key in target);
    if (isInherited(name.key)) return false;
    name.look = this.#look;
    return true;
  }

  /** Takes `bytes` if they follow. */
  #isNext(bytes: Uint8Array): boolean {
    const { buf, pos } = this;
    const length = bytes.length;
    if (length > this.end - pos) return false;
    for (let i = 0; i < length; i++) if (buf[pos + i] !== bytes[i]) return false;
    this.pos = pos + length;
    return true;
  }

  /** Reads a one-byte key that was not predicted and makes it known if it is not. Returns null for other keys. */
  #knownKey(last: KnownKey, place: Place): KnownKey | null {
    const { buf, pos } = this;
    if (buf[pos] !== 0x22 || this.end - pos < 3) return null; // "
    const length = buf[pos + 1]!;
    const slot = slotOf(length, buf[pos + 2]!, buf[pos + 1 + length]!);
    for (let key = place.slots[slot]; key; key = key.sibling) {
      if (this.#isNext(key.bytes)) return last.next = key;
    }
    const name = this.string();
    const key = knownKeys.add(place, name, buf.subarray(pos, this.pos));
    if (key === null) this.pos = pos;
    else last.next = key;
    return key;
  }

  /** Reads a key that does not become known, and its value. */
  #unknownKey(properties: Record<string, unknown>, within: KnownKey): void {
    const key = this.#key();
    const value = this.value(within);
    if (key in properties) define(properties, key, value);
    else properties[key] = value;
  }

  /** Reads a key, which is a string or a number. */
  #key(): string | number {
    const { pos } = this;
    switch (this.tag()) {
      case 0x49: // I
        return this.zigzag();
      case 0x55: // U
        return this.varint();
      case 0x4e: // N
        return this.double();
      default:
        this.pos = pos;
        return this.string();
    }
  }
}

/** Whether the bytes begin as JavaScriptCore's: 0d or 0e as four bytes, or "\xffBUN" if it holds a Buffer. */
function isJavaScriptCore(b: Uint8Array, at: number): boolean {
  if (b[at] === 0xff) return b[at + 1] === 0x42 && b[at + 2] === 0x55 && b[at + 3] === 0x4e;
  return (b[at] === 0x0d || b[at] === 0x0e) && !(b[at + 1] || b[at + 2] || b[at + 3]);
}

/** Defines an own property whose name could run a setter or fail if it were assigned. */
function define(target: object, key: string | number, value: unknown): void {
  Object.defineProperty(target, key, {
    value,
    writable: true,
    enumerable: true,
    configurable: true,
  });
}
