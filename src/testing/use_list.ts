/** Items in the order of their last use. */
import { Item } from "./item.ts";

/** Items in the order of their last use. */
export class UseList {
  /** Stands between the newest and the oldest. */
  readonly #end = new Item("", 0, 0, "");

  /** The one that was not used for longest. */
  get oldest(): Item | undefined {
    return this.newerThan(this.#end);
  }

  /** The one that was used next after this one. */
  newerThan(item: Item): Item | undefined {
    return item.newer === this.#end ? undefined : item.newer;
  }

  /** Puts an item, which is in no list, at the newer end. */
  add(item: Item): void {
    item.older = this.#end.older;
    item.newer = this.#end;
    item.older.newer = item;
    this.#end.older = item;
  }

  /** Takes an item out. */
  remove(item: Item): void {
    item.older.newer = item.newer;
    item.newer.older = item.older;
    item.older = item.newer = item;
  }
}
