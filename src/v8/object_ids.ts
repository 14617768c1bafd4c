/** The ids that objects get in the order in which they are met: 0 and up. */

/** A list is faster to search than a Map as long as it is short. */
const LISTED = 48;

/** Tells objects that were met before. */
export class ObjectIds {
  #count = 0;
  readonly #listed: (object | undefined)[] = [];
  #ids: Map<object, number> | null = null;

  /** The id of an object that was met before; otherwise gives it the next one and returns -1. */
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

  /** Lets all objects go. */
  forget(): void {
    for (let i = Math.min(this.#count, LISTED); --i >= 0;) this.#listed[i] = undefined;
    this.#ids = null;
    this.#count = 0;
  }
}
