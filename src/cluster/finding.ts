/**
 * Finds a client's servers: a Discovery delivers lists, and calls wait until the first list is there.
 *
 * Calls wait for `connectTimeout`, counted from the client's first call, as they would for a new server. After
 * that they are refused at once, as for a server that is down, until a list arrives. At most `maxPending` calls
 * wait.
 */
import { parseServers, type ServerConfig, type ServerSpec } from "../address.ts";
import { kindOf } from "../checks/values.ts";
import { clearTimeout, setTimeout } from "../connection/clock.ts";
import * as failure from "../connection/failure.ts";
import { describeNetworkError } from "../connection/network_words.ts";
import type { Bounds } from "../connection/pending.ts";
import { discoveryEvents } from "../diagnostics.ts";
import {
  INVALID_ARGUMENT,
  isMemcachedError,
  type MemcachedError,
  OverloadedError,
  ServerDownError,
} from "../errors.ts";
import type { ServerRef } from "../server_ref.ts";
import type { Discovery } from "./discovery.ts";

/** The cluster that uses the lists. */
export interface Listed {
  /** Takes a list. If it throws, it keeps the previous list. */
  setServers(configs: readonly ServerConfig[]): void;
  readonly servers: readonly { readonly ref: ServerRef }[];
}

interface Waiter {
  resolve(): void;
  reject(error: MemcachedError): void;
}

/** The search for one client's servers. */
export class Finding {
  readonly #discovery: Discovery;
  readonly #connectTimeout: number;
  readonly #bounds: Bounds;
  readonly #cluster: Listed;
  #watch: { close(): void } | undefined;
  #begun = false;
  #found = false;
  #closed = false;
  /** The last error of the Discovery, if there has been no list since. */
  #reason: MemcachedError | undefined;
  #list = "";
  #waiting: Waiter[] = [];
  #waitingBytes = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Whether connectTimeout has passed without a list. */
  #late = false;

  /** `connectTimeout` in ms; the bounds are those of a connection. */
  constructor(
    discovery: Discovery,
    { connectTimeout, maxPending, maxPendingBytes }: Bounds & { connectTimeout: number },
    cluster: Listed,
  ) {
    this.#discovery = discovery;
    this.#connectTimeout = connectTimeout;
    this.#bounds = { maxPending, maxPendingBytes };
    this.#cluster = cluster;
  }

  /**
   * Resolves when there is a list. Rejects with a ServerDownError if there is none within connectTimeout, and
   * with an OverloadedError if too many calls, or too many bytes of them, wait.
   */
  wait(bytes: number): Promise<void> {
    if (this.#found) return Promise.resolve();
    this.#begin();
    if (this.#found) return Promise.resolve();
    if (this.#late) return Promise.reject(this.#missing());
    const { maxPending, maxPendingBytes } = this.#bounds;
    if (this.#waiting.length >= maxPending) return Promise.reject(this.#full("maxPending"));
    if (this.#waitingBytes + bytes > maxPendingBytes) {
      return Promise.reject(this.#full("maxPendingBytes"));
    }
    this.#waitingBytes += bytes;
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#watch?.close();
    this.#refuse(failure.clientClosed());
  }

  /** The error for one call too many before there is a list. */
  #full(bound: keyof Bounds): OverloadedError {
    return new OverloadedError(
      `too many calls wait for the first list of servers: ${bound} allows ${
        this.#bounds[bound]
      }; ` +
        "send fewer at a time, or raise it",
    );
  }

  /** The error for a call that needs a list. */
  #missing(): ServerDownError {
    const reason = this.#reason === undefined ? "" : `: ${this.#reason.message}`;
    return new ServerDownError(
      "there is no list of servers yet, because discovery found none within " +
        `${this.#connectTimeout} ms${reason}`,
      { cause: this.#reason },
    );
  }

  #begin(): void {
    if (this.#begun) return;
    this.#begun = true;
    // Do not unref this timer: it runs while calls wait for a list, and a pending call keeps the process alive.
    this.#timer = setTimeout(() => {
      this.#late = true;
      this.#refuse(this.#missing());
    }, this.#connectTimeout);
    try {
      const watch = this.#discovery.watch(
        (servers) => this.#take(servers),
        (error) => this.#fail(error),
      );
      if (this.#closed) watch.close();
      this.#watch = watch;
    } catch (error) {
      this.#fail(error);
    }
  }

  #take(servers: readonly ServerSpec[]): void {
    if (this.#closed) return;
    try {
      const configs = parseServers(servers);
      const list = JSON.stringify(configs);
      if (list === this.#list) return;
      this.#cluster.setServers(configs);
      this.#list = list;
    } catch (error) {
      return this.#fail(error);
    }
    this.#found = true;
    this.#reason = undefined;
    clearTimeout(this.#timer);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { resolve } of waiting) resolve();
    if (discoveryEvents.hasSubscribers) {
      discoveryEvents.publish({ servers: this.#cluster.servers.map(({ ref }) => ref) });
    }
  }

  #fail(error: unknown): void {
    if (this.#closed) return;
    this.#reason = failed(error);
    if (!discoveryEvents.hasSubscribers) return;
    discoveryEvents.publish({
      servers: this.#cluster.servers.map(({ ref }) => ref),
      error: this.#reason,
    });
  }

  #refuse(error: MemcachedError): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { reject } of waiting) reject(error);
  }
}

/** Turns an error of a custom discovery, or of the list that it gave, into one of memwire's errors. */
function failed(error: unknown): MemcachedError {
  if (isMemcachedError(error)) return error;
  return new ServerDownError(`discovery failed: ${wordsOf(error)}`, { cause: error });
}

function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return `it threw ${kindOf(error)}`;
  const { code } = error as { code?: unknown };
  return code === INVALID_ARGUMENT ? error.message : describeNetworkError(error);
}
