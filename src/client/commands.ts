/** The commands for one key. The values that they store and read go through one codec. */
import type { Finish } from "../connection/request.ts";
import type { Core } from "./core.ts";
import type { Item } from "./item.ts";
import type { CallOptions, CheckedOptions, StoreOptions } from "./options.ts";
import * as result from "./results.ts";
import type { ValueCodec } from "./values/codec.ts";

/** Options of a command, as the caller gives them or already checked. */
type CommandOptions = CallOptions | CheckedOptions | undefined;

/** The same for a command that stores. */
type StoringOptions = StoreOptions | CheckedOptions | undefined;

/** The commands of a client, with one codec. `T` is what the codec makes of stored bytes. */
export class Commands<T> {
  readonly core: Core;
  readonly codec: ValueCodec<T>;
  readonly #value: Finish<T | undefined>;
  readonly #claim: Finish<result.Claim<T> | undefined>;
  readonly #found: Finish<boolean>;

  constructor(core: Core, codec: ValueCodec<T>) {
    this.core = core;
    this.codec = codec;
    this.#value = result.valueResult(codec);
    this.#claim = result.claimResult(codec);
    this.#found = result.foundResult(codec);
  }

  /** The value. */
  get(key: string, options: CommandOptions): Promise<T | undefined> {
    return this.core.ask("get", key, this.#value, options);
  }

  /** The value, which gets a new ttl in the same round trip. */
  getAndTouch(key: string, ttl: number, options: CommandOptions): Promise<T | undefined> {
    return this.core.ask("gat", key, this.#value, options, ttl);
  }

  /** The value with its token; `touch`: its new ttl, set in the same round trip. */
  getItem(key: string, options: CommandOptions, touch?: number): Promise<Item<T> | undefined> {
    const item = result.itemResult(this.codec, touch);
    return this.core.ask("gets", key, item, options, touch);
  }

  /**
   * The value with its token, for writing by that token. Of a stub, which has no value, the token alone.
   */
  claim(key: string, options: CheckedOptions): Promise<result.Claim<T> | undefined> {
    const request = this.core.request("gets", key, this.#claim, options);
    request.replacesStub = true;
    return this.core.send(request, options);
  }

  /** Whether a value is there. */
  has(key: string, options: CommandOptions): Promise<boolean> {
    return this.core.ask("has", key, this.#found, options);
  }

  /** Sets a new ttl; false: absent. */
  touch(key: string, ttl: number, options: CommandOptions): Promise<boolean> {
    return this.core.ask("touch", key, result.doneOrNotResult, options, ttl);
  }

  /** Sets a new ttl, then reads the token and flags of the item, without its value. */
  refresh(
    key: string,
    ttl: number,
    options: CommandOptions,
  ): Promise<result.Refreshed | undefined> {
    return this.core.ask("refresh", key, result.refreshResult, options, ttl);
  }

  /** Deletes the key; true: it was there. */
  delete(key: string, options: CommandOptions): Promise<boolean> {
    return this.core.ask("delete", key, result.doneOrNotResult, options);
  }

  /** Deletes the item if it still has the token. */
  compareAndDelete(
    key: string,
    cas: bigint,
    options: CommandOptions,
  ): Promise<"deleted" | "exists" | "missing"> {
    return this.core.compareAndDelete(key, cas, result.compareAndDeleteResult, options);
  }

  /** Stores the value, whatever was there. */
  set(key: string, value: unknown, options: StoringOptions): Promise<void> {
    return this.core.store("set", key, value, this.codec, result.doneResult, options);
  }

  /** Stores the value if the key is absent. */
  add(key: string, value: unknown, options: StoringOptions): Promise<boolean> {
    return this.core.store("add", key, value, this.codec, result.doneOrNotResult, options);
  }

  /** Stores the value if the key is there. */
  replace(key: string, value: unknown, options: StoringOptions): Promise<boolean> {
    return this.core.store("replace", key, value, this.codec, result.doneOrNotResult, options);
  }

  /** Stores the value if the item still has the token. */
  cas(
    key: string,
    value: unknown,
    cas: bigint,
    options: StoringOptions,
  ): Promise<"stored" | "exists" | "missing"> {
    return this.core.store("cas", key, value, this.codec, result.casResult, options, cas);
  }
}
