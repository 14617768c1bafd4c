/** A linked list of items in the order of their last use. */
import { Item } from "./item.ts";

/** A linked list of items in the order of their last use. */
export class UseList {
  /** The end of the ring, between the newest and the oldest item. */
  readonly #end = new Item("", 0, 0, "");

  /** The item that has been unused for the longest time. */
  get oldest(): Item | undefined {
    return this.newerThan(this.#end);
  }

  /** Returns the item that was used next after this one. */
  newerThan(item: Item): Item | undefined {
    return item.newer === this.#end ? undefined : item.newer;
  }

  /** Adds an item, which must be in no list, as the newest. */
  add(item: Item): void {
    item.older = this.#end.older;
    item.newer = this.#end;
    item.older.newer = item;
    this.#end.older = item;
  }

  /** Removes an item. */
  remove(item: Item): void {
    item.older.newer = item.newer;
    item.newer.older = item.older;
    item.older = item.newer = item;
  }
}
