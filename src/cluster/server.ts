/**
 * One memcached server, as new, up or down.
 *
 * New, or up with its connection lost while idle: calls wait for the connection, within the bounds and
 * their deadlines. Down: calls are refused at once, and a probe off the callers' path finds out when it
 * is up again. Only a probe that got through the whole handshake brings it back.
 *
 * No verdict is drawn from one connection. The server is down when connecting fails; when a connection
 * that was lost is opened again and that fails; when the connection that replaced a silent one is
 * silent too; and when connections die one after the other before they have answered a command. How
 * long it stays down doubles each time, until it has answered a command again.
 */
import type { Address, Credentials } from "../address.ts";
import type { ServerRef } from "../server_ref.ts";
import { AdminConnection, type AdminLimits } from "../connection/admin_connection.ts";
import { clearTimeout, setTimeout } from "../connection/clock.ts";
import { Connection, type ConnectionOwner } from "../connection/connection.ts";
import type { Ending } from "../connection/ending.ts";
import * as failure from "../connection/failure.ts";
import type { Request } from "../connection/request.ts";
import type { ConnectionSettings, Target } from "../connection/target.ts";
import type { TlsOptions } from "../connection/tls_options.ts";
import { connectionEvents, serverEvents } from "../diagnostics.ts";
import type { MemcachedError } from "../errors.ts";
import type { DialectName } from "../protocol/dialect.ts";
import { probeDelay } from "./backoff.ts";
import { Bypass } from "./bypass.ts";

// Connections in a row that died before they had answered a command: a few calls that were each unlucky are
// no verdict. One that a proxy closes on, and that is sent again, spends two.
const MAX_FRUITLESS = 5;

// After which part of the client's timeout, in silence, reads are asked over a lane of the bypass too; and
// after which a lane is given up for another call.
const PATIENCE = 1 / 4;
const LANE_PATIENCE = 1 / 16;

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
  #version = "";
  #alone = false;
  /** When the connection was opened, on the sweep's clock, and whether it has replaced a silent one. */
  #openedAt = 0;
  #replacing = false;
  /** Connections in a row that have died before they had answered a command. */
  #fruitless = 0;
  /** How often it went down, or a probe failed, since it last answered a command. */
  #falls = 0;
  #bypass: Bypass | undefined;
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
    if (connection === undefined || this.#closing !== undefined) return this.#sendAll([request]);
    connection.send(request);
    if (this.#bypass === undefined || !request.readsOnly || request.settled) return;
    // What has replaced a silent connection has yet to show that it does better.
    if (connection.stalled || (this.#replacing && !connection.answered)) {
      this.#bypass.take([request]);
    }
  }

  /** A connection for one administrative command. Throws if the server is down. */
  openAdmin(limits: Omit<AdminLimits, "connectTimeout">): AdminConnection {
    if (this.#state === "down") throw this.downError();
    const { ref, address, tls, auth, connections, closables } = this.#settings;
    const { connectTimeout } = connections;
    const admin = new AdminConnection(
      { ref, address, tls, auth },
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
      this.#bypass?.close();
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
    if (connection.version !== "") {
      this.#dialect = connection.dialect;
      this.#version = connection.version;
    }
    const { ref: server } = this;
    if (connectionEvents.hasSubscribers) {
      const { dialect, version, addresses } = connection;
      const message = { server, event: "ready", dialect, version } as const;
      const warning = addresses > 1 ? severalAddresses(addresses) : undefined;
      connectionEvents.publish(warning === undefined ? message : { ...message, warning });
    }
    if (this.#state === "up") return;
    this.#state = "up";
    this.#downCause = undefined;
    if (serverEvents.hasSubscribers) serverEvents.publish({ server, state: "up" });
  }

  stalled(connection: Connection): void {
    if (connection !== this.#connection || this.#closing !== undefined) return;
    const { sweep, timeout } = this.#settings.connections;
    this.#bypass ??= new Bypass({
      open: (owner) => this.#connect(owner, "beside"),
      sweep,
      pause: timeout * LANE_PATIENCE,
      recent: 2 * timeout,
    });
    this.#bypass.take(connection.overtakable());
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
    } else if (this.#meansDown(ending)) {
      this.#goDown(ending.error);
      this.#strand(returned);
    } else if (this.#state === "down") {
      this.#strand(returned);
    } else if (returned.length > 0 || (interrupted && this.#isToBeReplaced(reason))) {
      // The one reconnect, at once: if it fails, the server is down.
      this.#sendAll(returned, reason === "silent");
    }
    this.#ending = false;
    if (this.#connection === undefined) this.#closing?.();
  }

  #isToBeReplaced(reason: Ending["reason"]): boolean {
    return (reason === "lost" || reason === "silent") && this.#closing === undefined;
  }

  /** Whether the server is down, now that its connection has ended in this way. */
  #meansDown({ reason, interrupted, answered }: Ending): boolean {
    if (reason === "unreachable") return true;
    if (answered) {
      this.#fruitless = 0;
      this.#falls = 0;
    } else if (reason === "silent") {
      const elsewhere = this.#bypass?.answeredSince(this.#openedAt) === true;
      return (this.#replacing || this.#falls > 0) && !elsewhere;
    } else if (interrupted && reason !== "closed") {
      return ++this.#fruitless >= MAX_FRUITLESS || this.#falls > 0;
    }
    return false;
  }

  /** Sends requests over the connection that there is, else over a new one; opens it for none too. */
  #sendAll(requests: readonly Request<unknown>[], replacing = false): void {
    const open = this.#connection;
    const connection = open ?? this.#open(replacing);
    for (const request of requests) connection.send(request);
    // Only now, when it has something to do: who hears it may close the client.
    if (open === undefined) this.#report("open", undefined);
    // A call for many keys that was begun before the server left the list.
    if (this.#closing !== undefined) connection.close();
  }

  #open(replacing: boolean): Connection {
    this.#replacing = replacing;
    this.#openedAt = this.#settings.connections.sweep.now();
    return this.#connection = this.#connect(this, replacing ? "in place of" : "after");
  }

  /** `where`: what it is to the connection that there was, which for the last two is silent. */
  #connect(owner: ConnectionOwner, where: "after" | "in place of" | "beside"): Connection {
    const { ref, address, tls, auth, connections } = this.#settings;
    const dialect = this.#dialect;
    // twemproxy asks a server behind it for the version, and that may be the one that is silent.
    const version = where !== "after" && dialect === "classic" ? this.#version : undefined;
    const target: Target = {
      ref,
      address,
      tls,
      auth,
      dialect,
      version,
      alone: this.#alone || where === "beside",
      onTrial: where === "in place of",
      patience: where === "beside" ? LANE_PATIENCE : PATIENCE,
    };
    return new Connection(target, connections, owner);
  }

  #goDown(cause: Error | undefined): void {
    const was = this.#state;
    this.#state = "down";
    this.#downCause = cause;
    // Another server, or another version, may come back in its place.
    this.#dialect = undefined;
    this.#alone = false;
    this.#bypass?.close();
    if (was !== "down" && serverEvents.hasSubscribers) {
      serverEvents.publish({ server: this.ref, state: "down", error: this.downError() });
    }
    this.#scheduleProbe();
  }

  #scheduleProbe(): void {
    if (this.#closing !== undefined) return;
    clearTimeout(this.#probeTimer);
    const delay = probeDelay(this.#falls++, Math.random());
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

/** A server is one address, and which one a name gives may be another for each client. */
function severalAddresses(count: number): string {
  return `its name has ${count} addresses, of which one is used: another client may use another one and ` +
    "see other values; dns() of memwire/discovery makes each a server";
}
