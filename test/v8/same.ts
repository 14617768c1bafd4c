/**
 * Checks whether two values are equal in everything that a program can see: types, prototypes, own properties
 * in order, holes, -0, and which objects are the same object.
 */
import { Buffer } from "node:buffer";

/** Says where and how two values differ; `undefined` if they do not. */
export function difference(actual: unknown, expected: unknown, stacks = false): string | undefined {
  return new Comparison(stacks).compare(actual, expected, "value");
}

class Comparison {
  readonly #stacks: boolean;
  readonly #pairs = new Map<object, object>();
  readonly #partners = new Map<object, object>();

  constructor(stacks: boolean) {
    this.#stacks = stacks;
  }

  compare(actual: unknown, expected: unknown, path: string): string | undefined {
    if (typeof actual !== "object" || typeof expected !== "object" || !actual || !expected) {
      return Object.is(actual, expected) ? undefined : `${path}: another value`;
    }
    const partner = this.#pairs.get(actual);
    const owner = this.#partners.get(expected);
    if (partner !== undefined || owner !== undefined) {
      return partner === expected && owner === actual ? undefined : `${path}: another object`;
    }
    this.#pairs.set(actual, expected);
    this.#partners.set(expected, actual);
    if (Object.getPrototypeOf(actual) !== Object.getPrototypeOf(expected)) {
      return `${path}: another prototype`;
    }
    return this.#contents(actual, expected, path);
  }

  #contents(actual: object, expected: object, path: string): string | undefined {
    if (tag(actual) !== tag(expected)) return `${path}: ${tag(actual)}, not ${tag(expected)}`;
    if (ArrayBuffer.isView(expected)) return this.#views(actual as ArrayBufferView, expected, path);
    if (expected instanceof ArrayBuffer) return buffers(actual as ArrayBuffer, expected, path);
    if (expected instanceof Error) return this.#errors(actual as Error, expected, path);
    if (expected instanceof Map) {
      return this.#lists([...actual as Map<unknown, unknown>].flat(), [...expected].flat(), path);
    }
    if (expected instanceof Set) {
      return this.#lists([...actual as Set<unknown>], [...expected], path);
    }
    if (expected instanceof Date) {
      return this.compare((actual as Date).getTime(), expected.getTime(), path);
    }
    if (expected instanceof RegExp) {
      const same = String(actual) === String(expected) &&
        (actual as RegExp).lastIndex === expected.lastIndex;
      return same ? undefined : `${path}: another pattern`;
    }
    if (/Number|Boolean|String|BigInt/.test(tag(expected))) {
      return this.compare(actual.valueOf(), expected.valueOf(), path);
    }
    if (Array.isArray(expected) && (actual as unknown[]).length !== expected.length) {
      return `${path}: another length`;
    }
    return this.#properties(actual, expected, path);
  }

  #properties(actual: object, expected: object, path: string): string | undefined {
    const keys = Reflect.ownKeys(expected);
    const others = Reflect.ownKeys(actual);
    if (keys.length !== others.length || keys.some((key, i) => key !== others[i])) {
      return `${path}: other keys`;
    }
    for (const key of keys) {
      const a = Object.getOwnPropertyDescriptor(actual, key) as PropertyDescriptor;
      const e = Object.getOwnPropertyDescriptor(expected, key) as PropertyDescriptor;
      if (a.enumerable !== e.enumerable || a.writable !== e.writable || a.get !== e.get) {
        return `${path}.${String(key)}: another kind of property`;
      }
      const found = this.compare(a.value, e.value, `${path}.${String(key)}`);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #lists(actual: unknown[], expected: unknown[], path: string): string | undefined {
    if (actual.length !== expected.length) return `${path}: another size`;
    for (let i = 0; i < expected.length; i++) {
      const found = this.compare(actual[i], expected[i], `${path}[${i}]`);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #errors(actual: Error, expected: Error, path: string): string | undefined {
    for (const key of this.#stacks ? ["message", "cause", "stack"] : ["message", "cause"]) {
      const a = Object.getOwnPropertyDescriptor(actual, key);
      const e = Object.getOwnPropertyDescriptor(expected, key);
      if ((a === undefined) !== (e === undefined)) return `${path}.${key}: there or not`;
      if (a?.enumerable !== e?.enumerable) return `${path}.${key}: enumerable or not`;
      const found = this.compare(
        (actual as unknown as Record<string, unknown>)[key],
        (expected as unknown as Record<string, unknown>)[key],
        `${path}.${key}`,
      );
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #views(actual: ArrayBufferView, expected: ArrayBufferView, path: string): string | undefined {
    if (Buffer.isBuffer(actual) !== Buffer.isBuffer(expected)) return `${path}: Buffer or not`;
    return Buffer.compare(bytesOf(actual), bytesOf(expected)) === 0 ? undefined : `${path}: bytes`;
  }
}

function buffers(actual: ArrayBuffer, expected: ArrayBuffer, path: string): string | undefined {
  const limits = [actual, expected].map((b) => (b as { maxByteLength?: number }).maxByteLength);
  const growing = [actual, expected].map((b) => (b as { resizable?: boolean }).resizable);
  if (limits[0] !== limits[1] || growing[0] !== growing[1]) return `${path}: another limit`;
  return Buffer.compare(Buffer.from(actual), Buffer.from(expected)) === 0
    ? undefined
    : `${path}: bytes`;
}

function bytesOf(view: ArrayBufferView): Buffer {
  return Buffer.from(view.buffer as ArrayBuffer, view.byteOffset, view.byteLength);
}

function tag(value: object): string {
  return Object.prototype.toString.call(value).slice(8, -1);
}
