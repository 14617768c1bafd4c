/**
 * One memcached server, as new, up or down.
 *
 * New, or up with its connection lost while idle: calls wait for the connection, within the bounds and
 * their deadlines. Down (connecting failed, the one reconnect too; or three timeouts in silence):
 * calls are refused at once, and a probe off the callers' path finds out when it is up again. Only a
 * probe that got through the whole handshake brings it back.
 */
import { clearTimeout, setTimeout } from "node:timers";
import type { Address, Credentials, ServerRef } from "../address.ts";
import { AdminConnection, type AdminLimits } from "../connection/admin_connection.ts";
import {
  Connection,
  type ConnectionOwner,
  type ConnectionSettings,
  type Ending,
} from "../connection/connection.ts";
import * as failure from "../connection/failure.ts";
import type { Request } from "../connection/request.ts";
import type { TlsOptions } from "../connection/tls_options.ts";
import { connectionEvents, serverEvents } from "../diagnostics.ts";
import { type MemcachedError, TimeoutError } from "../errors.ts";
import type { DialectName } from "../protocol/dialect.ts";
import { probeDelay } from "./backoff.ts";

// Timeouts in silence that make a server down.
const MAX_SILENT_TIMEOUTS = 3;

/** What can be ended from outside, with the error for who waits for it. */
export interface Closable {
  close(error: MemcachedError): void;
}

/** What a server is made of. */
export interface ServerSettings {
  readonly ref: ServerRef;
  readonly address: Address;
  readonly tls: TlsOptions | undefined;
  readonly auth: Credentials | undefined;
  readonly connections: ConnectionSettings;
  /**
   * What the client's end ends: the connections of admin commands that are open. Of the client, for a
   * server that leaves the list lets them finish.
   */
  readonly closables: Set<Closable>;
  /** Takes requests that were never sent to this server, now that it is down. */
  readonly stranded: (request: Request<unknown>, error: MemcachedError) => void;
}

/** A server and its one connection. */
export class Server implements ConnectionOwner {
  readonly ref: ServerRef;
  readonly #settings: ServerSettings;
  #state: "new" | "up" | "down" = "new";
  #downCause: Error | undefined;
  #connection: Connection | undefined;
  #dialect: DialectName | undefined;
  #alone = false;
  #silentTimeouts = 0;
  #failedProbes = 0;
  #probeTimer: ReturnType<typeof setTimeout> | undefined;
  #closing: (() => void) | undefined;
  /** The end of a connection is being dealt with. */
  #ending = false;
  #closed: Promise<void> | undefined;

  constructor(settings: ServerSettings) {
    this.#settings = settings;
    this.ref = settings.ref;
  }

  get down(): boolean {
    return this.#state === "down";
  }

  /** Sends a request; refuses it at once if the server is down. */
  send(request: Request<unknown>): void {
    if (this.#state === "down") return this.#settings.stranded(request, this.downError());
    const connection = this.#connection;
    if (connection === undefined || this.#closing !== undefined) this.#sendAll([request]);
    else connection.send(request);
  }

  /** A connection for one administrative command. Throws if the server is down. */
  openAdmin(limits: Omit<AdminLimits, "connectTimeout">): AdminConnection {
    if (this.#state === "down") throw this.downError();
    const { ref, address, tls, auth, connections, closables } = this.#settings;
    const { connectTimeout } = connections;
    const admin = new AdminConnection(
      { ref, address, tls, auth, dialect: undefined, alone: true },
      { ...limits, connectTimeout },
      () => closables.delete(admin),
    );
    closables.add(admin);
    return admin;
  }

  /** Why calls are refused now. */
  downError(): MemcachedError {
    return failure.down(this.ref, this.#downCause);
  }

  /** Lets what is in flight finish, then closes the connection. */
  close(): Promise<void> {
    this.#closed ??= new Promise<void>((resolve) => {
      clearTimeout(this.#probeTimer);
      this.#closing = resolve;
      if (this.#connection === undefined) {
        // Called by who hears that it has ended: there may be requests that go to the next one.
        if (!this.#ending) resolve();
      } else if (this.#state === "down") this.#connection.drop(this.downError());
      else this.#connection.close();
    });
    return this.#closed;
  }

  // What the connection reports

  ready(connection: Connection): void {
    // What gave no version may be something else the next time.
    if (connection.version !== "") this.#dialect = connection.dialect;
    const { ref: server } = this;
    if (connectionEvents.hasSubscribers) {
      const { dialect, version } = connection;
      connectionEvents.publish({ server, event: "ready", dialect, version });
    }
    if (this.#state === "up") return;
    this.#state = "up";
    this.#downCause = undefined;
    this.#silentTimeouts = 0;
    this.#failedProbes = 0;
    if (serverEvents.hasSubscribers) serverEvents.publish({ server, state: "up" });
  }

  timedOut(connection: Connection, count: number, replied: boolean): void {
    this.#silentTimeouts = replied ? count : this.#silentTimeouts + count;
    if (this.#silentTimeouts < MAX_SILENT_TIMEOUTS) return;
    this.#silentTimeouts = 0;
    const server = this.ref;
    const error = new TimeoutError(`${server.address} has stopped answering`, { server });
    this.#goDown(error);
    connection.drop(error);
  }

  ended(connection: Connection, ending: Ending): void {
    if (connection !== this.#connection) return;
    this.#connection = undefined;
    this.#alone ||= connection.alone;
    const { reason, interrupted, returned } = ending;
    // A proxy that does not know `mn`: not a failure, and not to be asked again.
    if (reason === "refused-meta") this.#dialect = "classic";
    this.#ending = true;
    // Who hears it may call anything: send a request, which opens a connection, or close.
    this.#report("close", ending.error);
    if (reason === "refused-meta") {
      this.#sendAll(returned);
    } else if (reason === "unreachable") {
      if (this.#state === "down") this.#failedProbes++;
      this.#goDown(ending.error);
      this.#strand(returned);
    } else if (this.#state === "down") {
      this.#strand(returned);
    } else if (returned.length > 0 || (interrupted && reason === "lost" && !this.#closing)) {
      // The one reconnect, at once: if it fails, the server is down.
      this.#sendAll(returned);
    }
    this.#ending = false;
    if (this.#connection === undefined) this.#closing?.();
  }

  /** Sends requests over the connection that there is, else over a new one; opens it for none too. */
  #sendAll(requests: readonly Request<unknown>[]): void {
    const open = this.#connection;
    const connection = open ?? this.#open();
    for (const request of requests) connection.send(request);
    // Only now, when it has something to do: who hears it may close the client.
    if (open === undefined) this.#report("open", undefined);
    // A call for many keys that was begun before the server left the list.
    if (this.#closing !== undefined) connection.close();
  }

  #open(): Connection {
    const { ref, address, tls, auth, connections } = this.#settings;
    return this.#connection = new Connection(
      { ref, address, tls, auth, dialect: this.#dialect, alone: this.#alone },
      connections,
      this,
    );
  }

  #goDown(cause: Error | undefined): void {
    const was = this.#state;
    this.#state = "down";
    this.#downCause = cause;
    // Another server, or another version, may come back in its place.
    this.#dialect = undefined;
    this.#alone = false;
    if (was !== "down") {
      this.#failedProbes = 0;
      if (serverEvents.hasSubscribers) {
        serverEvents.publish({ server: this.ref, state: "down", error: this.downError() });
      }
    }
    this.#scheduleProbe();
  }

  #scheduleProbe(): void {
    if (this.#closing !== undefined) return;
    clearTimeout(this.#probeTimer);
    const delay = probeDelay(this.#failedProbes, Math.random());
    this.#probeTimer = setTimeout(() => {
      if (this.#connection === undefined) this.#sendAll([]);
    }, delay);
    // A probe never keeps the process alive.
    this.#probeTimer.unref();
  }

  #strand(returned: readonly Request<unknown>[]): void {
    for (const request of returned) this.#settings.stranded(request, this.downError());
  }

  #report(event: "open" | "close", error: Error | undefined): void {
    if (!connectionEvents.hasSubscribers) return;
    const server = this.ref;
    if (error === undefined) return connectionEvents.publish({ server, event });
    connectionEvents.publish({ server, event, error: failure.ended(server, error) });
  }
}
