/**
 * The inside of a client, through which all commands go: checks first, then a request to the key's
 * server.
 */
import { AsyncResource } from "node:async_hooks";
import type { ServerConfig } from "../address.ts";
import { Cluster } from "../cluster/cluster.ts";
import type { Discovery } from "../cluster/discovery.ts";
import { Finding } from "../cluster/finding.ts";
import { abortWith } from "../connection/abort.ts";
import * as failure from "../connection/failure.ts";
import { bytesOf, type Finish, keptValue, Request } from "../connection/request.ts";
import { Sweep } from "../connection/sweep.ts";
import { ValueTooLargeError } from "../errors.ts";
import type { Operation, StoreOperation } from "../protocol/command.ts";
import { KEEP_EXPTIME } from "../protocol/command.ts";
import { toExptime } from "../protocol/exptime.ts";
import { checkKey } from "../protocol/key.ts";
import { checkCas } from "../protocol/number.ts";
import { byteLength } from "../protocol/text.ts";
import { Deadline } from "./deadline.ts";
import {
  type CallOptions,
  CheckedOptions,
  readCallOptions,
  type ResolvedOptions,
  type StoreOptions,
} from "./options.ts";
import { checkKeptCas, doneOrNotResult } from "./results.ts";
import { trace, traced } from "./trace.ts";
import type { Stored, ValueCodec } from "./values/codec.ts";
import { Flags } from "./values/memwire.ts";
import { safeKey } from "./wire_key.ts";

/** Options of a call, as the caller gives them or already checked. */
type Options = StoreOptions | CheckedOptions | undefined;

/** The inside of a client. */
export class Core {
  readonly options: ResolvedOptions;
  readonly cluster: Cluster;
  /** What finds the servers, unless they were given. */
  readonly #finding: Finding | undefined;
  /** The same until there is a list of them. */
  #awaited: Finding | undefined;
  readonly sweep: Sweep = new Sweep();
  /** The options of a call without any. */
  readonly #byDefault: CheckedOptions;
  #closing: Promise<void> | undefined;
  /** How many operations of several commands have begun and not ended. */
  #underway = 0;
  /** Called when the last of them has ended, once the client is closing. */
  #idle: (() => void) | undefined;
  /** The servers are being closed, so no command is sent any more. */
  #shut = false;

  constructor(servers: readonly ServerConfig[] | Discovery, options: ResolvedOptions) {
    this.options = options;
    this.#byDefault = new CheckedOptions(options.timeout, undefined, undefined, false);
    const given = isDiscovery(servers) ? undefined : servers;
    this.cluster = new Cluster(given, {
      hashing: options.hashing,
      failover: options.failover,
      tls: options.tls,
      auth: options.auth,
      connections: {
        timeout: options.timeout,
        connectTimeout: options.connectTimeout,
        maxPending: options.maxPending,
        maxPendingBytes: options.maxPendingBytes,
        maxValueBytes: options.maxValueBytes,
        protocol: options.protocol,
        sweep: this.sweep,
      },
    });
    if (isDiscovery(servers)) {
      this.#finding = new Finding(servers, options, this.cluster);
      this.#awaited = this.#finding;
    }
  }

  /** Resolves when there is a list of servers, at once unless that is being found; within the deadline. */
  async whenListed(deadline: Deadline, bytes: number = 0): Promise<void> {
    const finding = this.#awaited;
    if (finding === undefined) return;
    await deadline.within(finding.wait(bytes));
    this.#awaited = undefined;
  }

  /** Whether a Discovery tells the servers. */
  get discovers(): boolean {
    return this.#finding !== undefined;
  }

  /** The options of a call that stores nothing, checked once. Throws. */
  callOptions(options: Options): CheckedOptions {
    if (options === undefined) return this.#byDefault;
    if (options instanceof CheckedOptions) return options;
    return readCallOptions(options, false, this.options.timeout);
  }

  /**
   * The options of a call that stores, checked once. Only `ttl` is checked later, with its exptime.
   * Throws.
   */
  storeOptions(options: Options): CheckedOptions {
    if (options === undefined) return this.#byDefault;
    if (options instanceof CheckedOptions) return options;
    return readCallOptions(options, true, this.options.timeout);
  }

  /**
   * A command without a value. Wrong arguments make it reject. touch, gat and refresh need a `ttl`; the
   * others keep the item's own without one.
   */
  ask<T>(
    operation: Operation,
    key: string,
    finish: Finish<T>,
    options: Options,
    ttl?: number,
  ): Promise<T> {
    try {
      const checked = this.callOptions(options);
      const request = this.request(operation, key, finish, checked);
      const needsTtl = operation === "touch" || operation === "gat" || operation === "refresh";
      request.exptime = ttl === undefined && !needsTtl ? KEEP_EXPTIME : toExptime(ttl);
      return this.send(request, checked);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * A command that stores a value, and rejects in the same way. `cas` is for the operation of that name.
   */
  store<T>(
    operation: StoreOperation,
    key: string,
    value: unknown,
    codec: ValueCodec,
    finish: Finish<T>,
    options: Options,
    cas?: bigint,
  ): Promise<T> {
    try {
      const checked = this.storeOptions(options);
      const request = this.storeRequest(operation, key, value, codec, finish, checked);
      if (operation === "cas") request.cas = checkKeptCas(checkCas(cas));
      return this.send(request, checked);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Deletes the item if it still has the token. */
  compareAndDelete<T>(
    key: string,
    cas: bigint,
    finish: Finish<T>,
    options: Options,
  ): Promise<T> {
    try {
      const checked = this.callOptions(options);
      const request = this.request("delete", key, finish, checked);
      request.cas = checkKeptCas(checkCas(cas));
      return this.send(request, checked);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** One append or prepend of bytes as they are. The item keeps its flags and ttl. Throws. */
  extend(
    operation: "append" | "prepend",
    key: string,
    data: string | Uint8Array,
    options: CheckedOptions,
  ): Promise<boolean> {
    const request = this.request(operation, key, doneOrNotResult, options);
    request.value = data;
    request.flags = Flags.bytes;
    request.exptime = 0;
    this.checkSize(request);
    return this.send(request, options);
  }

  /** A request that stores, checked and encoded. Throws. */
  storeRequest<T>(
    operation: StoreOperation,
    key: string,
    value: unknown,
    codec: ValueCodec,
    finish: Finish<T>,
    options: CheckedOptions,
  ): Request<T> {
    const request = this.request(operation, key, finish, options);
    request.exptime = storeExptime(options);
    codec.encode(value, request);
    this.checkSize(request);
    return request;
  }

  /** What setMany stores under a key, checked and encoded, with a value of the client's own. Throws. */
  stored(key: string, value: unknown, codec: ValueCodec): Stored {
    const stored: Stored = { key: this.wireKey(key), value: "", flags: 0 };
    codec.encode(value, stored);
    this.checkSize(stored);
    stored.value = keptValue(stored.value);
    return stored;
  }

  /** The key as it goes over the wire. Throws. */
  wireKey(key: string): string {
    const { prefix, unsafeKeys } = this.options;
    return unsafeKeys === "reject" ? checkKey(key, prefix) : safeKey(key, prefix);
  }

  /** A request with a checked key. Throws. */
  request<T>(
    operation: Operation,
    key: string,
    finish: Finish<T>,
    options: CheckedOptions,
  ): Request<T> {
    const wireKey = this.wireKey(key);
    return new Request(operation, wireKey, this.inCallersContext(finish), options.timeout);
  }

  /**
   * Makes `finish` run in the caller's async context if there is a serializer: the context may hold the
   * tenant, or the request that is being served. Replies are read in the context of whoever made the
   * socket.
   */
  inCallersContext<T>(finish: Finish<T>): Finish<T> {
    return this.options.serializer === undefined ? finish : AsyncResource.bind(finish);
  }

  /** Sends a request to its key's server. */
  send<T>(request: Request<T>, options: CheckedOptions): Promise<T> {
    if (this.#awaited !== undefined) return this.#sendLater(request, options);
    // Route first: a custom hashing may throw, and then nobody would handle the request's rejection.
    const server = this.cluster.route(request.key);
    if (options.signal !== undefined) abortWith(options.signal, request);
    if (this.#refuses(options)) request.refuse(failure.clientClosed());
    if (request.settled) return request.promise;
    if (traced()) {
      request.keepValue(); // a listener may store something too, and that uses the same buffer of the codec
      trace(request, server.ref);
      if (this.#refuses(options)) request.refuse(failure.clientClosed()); // a listener has closed the client
    }
    server.send(request);
    return request.promise;
  }

  #refuses({ begun }: CheckedOptions): boolean {
    return this.#closing !== undefined && (this.#shut || !begun);
  }

  /** Throws when the client has been closed. */
  checkOpen(): void {
    if (this.#closing !== undefined) throw failure.clientClosed();
  }

  /** Sends a request once there is a list of servers. */
  async #sendLater<T>(request: Request<T>, options: CheckedOptions): Promise<T> {
    request.keepValue();
    const { signal, ttl, begun } = options;
    const deadline = new Deadline(this.sweep, request.timeout, signal);
    if (!begun) this.enter();
    try {
      await this.whenListed(deadline, bytesOf(request.key, request.value));
      // What is left of it, in a way that the connection does not lengthen again.
      const { timeout } = deadline.options();
      request.deadline = this.sweep.now() + timeout;
      return await this.send(request, new CheckedOptions(timeout, signal, ttl, true));
    } catch (error) {
      request.refuse(error);
      return await request.promise;
    } finally {
      if (!begun) this.leave();
    }
  }

  /** Runs an operation of several commands: they share a deadline, and `close` waits for its end. */
  async run<T>(
    options: CallOptions | CheckedOptions | undefined,
    operation: (deadline: Deadline) => Promise<T>,
  ): Promise<T> {
    const { timeout, signal } = this.callOptions(options);
    const deadline = new Deadline(this.sweep, timeout, signal);
    this.enter();
    try {
      if (this.#awaited !== undefined) await this.whenListed(deadline);
      return await operation(deadline);
    } finally {
      this.leave();
    }
  }

  /** Begins an operation of several commands: `close` waits until {@link leave} ends it. */
  enter(): void {
    this.checkOpen();
    this.#underway++;
  }

  /** Ends an operation that {@link enter} has begun. */
  leave(): void {
    if (--this.#underway === 0) this.#idle?.();
  }

  close(): Promise<void> {
    if (this.#closing === undefined) {
      // Set before anything ends: a listener that hears of that may call this again.
      let follow!: (closing: Promise<void>) => void;
      this.#closing = new Promise((resolve) => follow = resolve);
      follow(this.#close());
    }
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#underway > 0) await new Promise<void>((resolve) => this.#idle = resolve);
    this.#shut = true;
    this.#finding?.close();
    await this.cluster.close();
  }

  /** Refuses a value that could never be sent, not even over a connection that is idle. */
  checkSize({ key, value }: Pick<Stored, "key" | "value">): void {
    const { maxValueBytes, maxPendingBytes } = this.options;
    if (bytesOf(key, value) > maxPendingBytes) {
      throw new ValueTooLargeError(
        `the value's command takes more than the ${maxPendingBytes} bytes of maxPendingBytes; ` +
          "nothing was sent",
      );
    }
    // A character has at most three bytes of UTF-8. Counting them takes time.
    if (typeof value === "string" && value.length * 3 <= maxValueBytes) return;
    const bytes = typeof value === "string" ? byteLength(value) : value.byteLength;
    if (bytes <= maxValueBytes) return;
    throw new ValueTooLargeError(
      `the value has ${bytes} bytes, more than the ${maxValueBytes} of maxValueBytes; nothing was sent`,
    );
  }
}

/** Whether the servers are to be found. */
export function isDiscovery<S>(servers: S | Discovery): servers is Discovery {
  return typeof (servers as Partial<Discovery> | null)?.watch === "function";
}

/** The exptime for the options of a call that stores. */
export function storeExptime({ ttl }: CheckedOptions): number {
  // Not `??`: null is not a number of seconds, and a caller who passes it does not mean "for ever".
  return ttl === undefined ? 0 : toExptime(ttl);
}
