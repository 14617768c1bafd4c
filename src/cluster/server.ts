/**
 * One memcached server, which is new, up or down.
 *
 * New, or up without a connection because it was lost while idle: calls wait for the connection, within
 * the bounds and their deadlines. Down: calls are refused at once, and a probe, which no caller waits
 * for, finds out when the server is up again. Only a probe that gets through the whole handshake brings
 * it back.
 *
 * One lost connection does not make a server down. It is down when connecting fails, also when a lost
 * connection is opened again; when the connection that replaced a silent one is silent too; and when
 * several connections in a row die before they have answered a command. The time that it stays down
 * doubles each time, until it has answered a command again.
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

// How many connections in a row may die before they have answered a command: a few unlucky calls do not
// make a server down. A call on which a proxy closes the connection is sent again, so it spends two.
const MAX_FRUITLESS = 5;

// After a silence of this part of the client's timeout, reads are sent over a lane of the bypass too; and
// after this part a lane is given up for another call.
const PATIENCE = 1 / 4;
const LANE_PATIENCE = 1 / 16;

/** What can be ended from outside, with the error for whoever waits for it. */
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
   * What ends when the client closes: the open connections of admin commands. The set belongs to the
   * client, since a server that leaves the list lets them finish.
   */
  readonly closables: Set<Closable>;
  /** Takes a request that was never sent to this server, now that it is down. */
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
  /** When the connection was opened, on the sweep's clock, and whether it replaced a silent one. */
  #openedAt = 0;
  #replacing = false;
  /** How many connections in a row have died before they had answered a command. */
  #fruitless = 0;
  /** How often the server went down, or a probe failed, since it last answered a command. */
  #falls = 0;
  #bypass: Bypass | undefined;
  #probeTimer: ReturnType<typeof setTimeout> | undefined;
  #closing: (() => void) | undefined;
  /** How many ends of connections are being handled: a listener may cause another. */
  #ending = 0;
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
    // A listener may have aborted it just now, and then its value is gone.
    if (request.settled) return;
    if (this.#state === "down") return this.#settings.stranded(request, this.downError());
    const connection = this.#connection;
    if (connection === undefined || this.#closing !== undefined) return this.#sendAll([request]);
    connection.send(request);
    if (this.#bypass === undefined || !request.readsOnly || request.settled) return;
    // A connection that has replaced a silent one has yet to show that it does better.
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
    if (this.#closed !== undefined) return this.#closed;
    // Set before anything ends: a listener that hears of that may call this again.
    this.#closed = new Promise<void>((resolve) => this.#closing = resolve);
    clearTimeout(this.#probeTimer);
    this.#bypass?.close();
    if (this.#connection === undefined) this.#closeIfOver();
    else if (this.#state === "down") this.#connection.drop(this.downError());
    else this.#connection.close();
    return this.#closed;
  }

  /**
   * It is closed when it has no connection. While the end of one is handled, requests may still go to the next
   * one.
   */
  #closeIfOver(): void {
    if (this.#ending === 0 && this.#connection === undefined) this.#closing?.();
  }

  // What the connection reports

  ready(connection: Connection): void {
    // Without a version we cannot tell what answered, so do not remember its dialect.
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
    // A proxy that does not know `mn`. That is no failure, and it must not be asked again.
    if (reason === "refused-meta") this.#dialect = "classic";
    this.#ending++;
    // A listener may call anything: send a request, which opens a connection, or close.
    this.#report("close", ending.error);
    if (reason === "refused-meta") {
      this.#sendAll(returned);
    } else if (this.#meansDown(ending)) {
      this.#goDown(ending.error);
      this.#strand(returned);
    } else if (this.#state === "down") {
      this.#strand(returned);
    } else if (returned.length > 0 || (interrupted && this.#isToBeReplaced(reason))) {
      // One reconnect at once. If it fails, the server is down.
      this.#sendAll(returned, reason === "silent");
    }
    this.#ending--;
    this.#closeIfOver();
  }

  #isToBeReplaced(reason: Ending["reason"]): boolean {
    return (reason === "lost" || reason === "silent") && this.#closing === undefined;
  }

  /** Whether the server is down, now that its connection has ended like this. */
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

  /**
   * Sends requests over the connection that there is, or over a new one, which is opened even for no
   * request.
   */
  #sendAll(requests: readonly Request<unknown>[], replacing = false): void {
    const open = this.#connection;
    this.#ending++;
    if (open === undefined) this.#open(replacing);
    // If one is refused at once, a listener may close the connection before the next one is sent.
    for (const request of requests) (this.#connection ?? this.#open(replacing)).send(request);
    this.#ending--;
    // Publish last, when it has something to do: a listener may close the client.
    if (open === undefined) this.#report("open", undefined);
    if (this.#closing === undefined) return;
    // It was opened for a call for many keys that began before the server left the list.
    this.#connection?.close();
    this.#closeIfOver();
  }

  #open(replacing: boolean): Connection {
    this.#replacing = replacing;
    this.#openedAt = this.#settings.connections.sweep.now();
    return this.#connection = this.#connect(this, replacing ? "in place of" : "after");
  }

  /** `where`: its relation to the connection before it, which is silent for the last two. */
  #connect(owner: ConnectionOwner, where: "after" | "in place of" | "beside"): Connection {
    const { ref, address, tls, auth, connections } = this.#settings;
    const dialect = this.#dialect;
    // twemproxy asks a server behind it for the version, and that may be the silent one.
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
