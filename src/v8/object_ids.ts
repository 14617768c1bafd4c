/** The ids that objects get while a value is encoded: 0, 1, 2 and so on, in the order of their appearance. */

/** Up to this many objects a list is faster to search than a Map. */
const LISTED = 48;

/** Recognizes objects that have appeared before. */
export class ObjectIds {
  #count = 0;
  readonly #listed: (object | undefined)[] = [];
  #ids: Map<object, number> | null = null;

  /** Returns the id of an object that has appeared before; otherwise gives it the next id and returns -1. */
  find(object: object): number {
    const count = this.#count;
    if (this.#ids !== null) return this.#findMapped(object, this.#ids);
    const listed = this.#listed;
    for (let id = 0; id < count; id++) if (listed[id] === object) return id;
    if (count < LISTED) {
      listed[count] = object;
    } else {
      this.#ids = new Map(listed.map((object, id) => [object!, id]));
      this.#ids.set(object, count);
    }
    this.#count = count + 1;
    return -1;
  }

  #findMapped(object: object, ids: Map<object, number>): number {
    const id = ids.get(object);
    if (id !== undefined) return id;
    ids.set(object, this.#count++);
    return -1;
  }

  /** Forgets all objects, so that they can be collected. */
  forget(): void {
    for (let i = Math.min(this.#count, LISTED); --i >= 0;) this.#listed[i] = undefined;
    this.#ids = null;
    this.#count = 0;
  }
}
