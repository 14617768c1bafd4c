/** The commands that a store sends, each on one key; what they carry goes through the codec. */
import { type Core, storeExptime } from "../client/core.ts";
import type { Deadline, PartOptions } from "../client/deadline.ts";
import type { CallOptions, CheckedOptions, StoreOptions } from "../client/options.ts";
import * as result from "../client/results.ts";
import type { Item } from "../client/item.ts";
import type { Finish } from "../connection/request.ts";
import { Kind } from "../protocol/reply.ts";
import type { RecordCodec, Stocked } from "./record.ts";

/** Options of a command. */
export type CommandOptions = CallOptions | PartOptions | undefined;

/** Records by key. A value to write may also be an `Encoded`. */
export class Records {
  readonly codec: RecordCodec;
  readonly #core: Core;
  readonly #value: Finish<unknown>;

  constructor(core: Core, codec: RecordCodec) {
    this.#core = core;
    this.codec = codec;
    this.#value = (reply, request) =>
      reply.kind === Kind.value ? codec.decode(reply, request.key).value : undefined;
  }

  /** The options of a call that writes, checked. Throws. */
  storeOptions(options: StoreOptions | undefined): CheckedOptions {
    const checked = this.#core.storeOptions(options);
    storeExptime(checked);
    return checked;
  }

  /** Runs an operation of several commands: they share a deadline, and closing waits for its end. */
  run<T>(
    options: CallOptions | CheckedOptions | undefined,
    operation: (deadline: Deadline) => Promise<T>,
  ): Promise<T> {
    return this.#core.run(options, operation);
  }

  /** The value alone. */
  get(key: string, options: CommandOptions): Promise<unknown> {
    return this.#core.ask("get", key, this.#value, options);
  }

  /** The value with its token; `touch`: a new time to live in the same round trip. */
  read(
    key: string,
    options: CommandOptions,
    touch?: number,
  ): Promise<Item<Stocked> | undefined> {
    return this.#core.ask("gets", key, result.itemResult(this.codec, touch), options, touch);
  }

  has(key: string, options: CommandOptions): Promise<boolean> {
    return this.#core.ask("has", key, result.foundResult, options);
  }

  touch(key: string, ttl: number, options: CommandOptions): Promise<boolean> {
    return this.#core.ask("touch", key, result.doneOrNotResult, options, ttl);
  }

  delete(key: string, options: CommandOptions): Promise<boolean> {
    return this.#core.ask("delete", key, result.doneOrNotResult, options);
  }

  /** Deletes what nobody has written since. */
  compareAndDelete(
    key: string,
    version: bigint,
    options: CommandOptions,
  ): Promise<"deleted" | "exists" | "missing"> {
    return this.#core.compareAndDelete(key, version, result.compareAndDeleteResult, options);
  }

  set(key: string, value: unknown, how: PartOptions): Promise<void> {
    return this.#core.store("set", key, value, result.doneResult, how, undefined, this.codec);
  }

  /** false: something is there. */
  add(key: string, value: unknown, how: PartOptions): Promise<boolean> {
    return this.#core.store("add", key, value, result.doneOrNotResult, how, undefined, this.codec);
  }

  cas(
    key: string,
    value: unknown,
    version: bigint,
    how: PartOptions,
  ): Promise<"stored" | "exists" | "missing"> {
    return this.#core.store("cas", key, value, result.casResult, how, version, this.codec);
  }
}
