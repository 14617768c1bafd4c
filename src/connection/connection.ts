/**
 * One socket to one server, and the requests on it.
 *
 * A request is written at once into the batch of its tick (or waits until the handshake is through),
 * then stands in a queue until its replies have come. Replies come in the order of requests; each is
 * checked against the oldest one, and the first that does not fit ends the connection: from there on
 * nobody can know whose bytes are whose.
 */
import { clearInterval, setInterval } from "node:timers";
import type { Address, Credentials, ServerRef } from "../address.ts";
import type { MemcachedError } from "../errors.ts";
import { ClassicDialect } from "../protocol/classic.ts";
import type { Dialect, DialectName } from "../protocol/dialect.ts";
import { MetaDialect } from "../protocol/meta.ts";
import * as failure from "./failure.ts";
import { Handshake, isAtLeast } from "./handshake.ts";
import { Incoming, type IncomingEvents } from "./incoming.ts";
import { Outgoing } from "./outgoing.ts";
import { type Bounds, Pending } from "./pending.ts";
import { ReplyReader } from "./reply_reader.ts";
import type { Request } from "./request.ts";
import { Socket, type SocketEvents } from "./socket.ts";
import type { Sweep, Swept } from "./sweep.ts";
import type { TlsOptions } from "./tls_options.ts";

/** What the connections of a client have in common. */
export interface ConnectionSettings extends Bounds {
  /** The client's own timeout, in ms. */
  readonly timeout: number;
  readonly connectTimeout: number;
  readonly maxValueBytes: number;
  readonly protocol: "auto" | DialectName;
  readonly sweep: Sweep;
  /** Runs `flush` when the tick's microtasks are drained, so that what it wrote leaves together. */
  readonly defer: (flush: () => void) => void;
}

/** Where a connection leads. */
export interface Target {
  readonly ref: ServerRef;
  readonly address: Address;
  readonly tls: TlsOptions | undefined;
  readonly auth: Credentials | undefined;
  /** The dialect, where it is known from before. */
  readonly dialect: DialectName | undefined;
  /** Whether gets are to stand alone, as was learnt before. */
  readonly alone: boolean;
}

/** Why and how a connection ended. */
export interface Ending {
  /**
   * `unreachable`: it never came as far as a command. `refused-meta`: closed in answer to `mn`.
   * `lost`: closed or reset by the peer. `dropped`: by us, for a reply that was not predicted.
   * `silent`: by us, for a server that does not answer. `closed`: by us, as asked.
   */
  readonly reason: "unreachable" | "refused-meta" | "lost" | "dropped" | "silent" | "closed";
  readonly error: Error | undefined;
  /** Whether replies were due. */
  readonly interrupted: boolean;
  /** Requests that may be sent on another connection. */
  readonly returned: readonly Request<unknown>[];
}

/** Who a connection reports to. */
export interface ConnectionOwner {
  /** The handshake is through. */
  ready(connection: Connection): void;
  ended(connection: Connection, ending: Ending): void;
  /** Calls timed out that had waited as long as the client's own timeout; `replied`: not in silence. */
  timedOut(connection: Connection, count: number, replied: boolean): void;
}

// TLS servers older than this stall when several records wait for them: see Socket.pace.
const UNPACED_SINCE = [1, 6, 39] as const;

// connectTimeout runs in so many slices, and a blocked event loop, which could not have read what the
// server said, uses up one at most.
const CONNECT_SLICES = 5;

const encoder = new TextEncoder();

/** A connection, from its first attempt to its end. */
export class Connection implements SocketEvents, IncomingEvents, Swept {
  readonly #target: Target;
  readonly #settings: ConnectionSettings;
  readonly #owner: ConnectionOwner;
  readonly #socket: Socket;
  readonly #handshake: Handshake;
  readonly #connectTimer: ReturnType<typeof setInterval>;
  readonly #pending: Pending;
  readonly #replies = new ReplyReader();
  #dialect: Dialect = new ClassicDialect();
  /** How requests are written and replies read, once the handshake is through. */
  #out: Outgoing | undefined;
  #in: Incoming | undefined;
  #phase: "connecting" | "ready" | "ended" = "connecting";
  #alone: boolean;
  #closing = false;
  #flushDue = false;
  #swept = false;
  /** Whether the socket keeps the process alive. */
  #held = false;
  #replied = false;
  /** Connected without TLS, and not a byte has come. */
  #unheard = false;
  /** When bytes came last, on the sweep's clock. */
  #heardAt = -Infinity;

  constructor(target: Target, settings: ConnectionSettings, owner: ConnectionOwner) {
    this.#target = target;
    this.#settings = settings;
    this.#owner = owner;
    this.#pending = new Pending(settings);
    this.#alone = target.alone;
    this.#handshake = new Handshake({
      auth: target.auth,
      protocol: settings.protocol,
      known: target.dialect,
    });
    this.#socket = new Socket(target.address, target.tls, this);
    this.#socket.hold(false);
    let slices = CONNECT_SLICES;
    this.#connectTimer = setInterval(() => {
      if (--slices > 0) return;
      this.#end("unreachable", failure.connectTimeout(target.ref, settings.connectTimeout));
    }, settings.connectTimeout / CONNECT_SLICES);
    this.#connectTimer.unref();
  }

  /** The dialect in use; of no meaning before it is ready. */
  get dialect(): DialectName {
    return this.#dialect.name;
  }

  /** What the server says of itself; "" before it is ready. */
  get version(): string {
    return this.#handshake.version;
  }

  /**
   * Whether each get has a line to itself: a proxy fails a whole line of them for one key whose server
   * is down, and twemproxy closes the connection too.
   */
  get alone(): boolean {
    return this.#alone;
  }

  /** Sends a request, or refuses it if a bound is reached. One for many keys may wait for room. */
  send(request: Request<unknown>): void {
    const admitted = this.#pending.admit(request);
    if (admitted !== "admitted" && admitted !== "waits") {
      return request.refuse(failure.overloaded(this.#target.ref, admitted, this.#settings));
    }
    if (!this.#flushDue) this.#openBatch();
    if (admitted === "admitted") this.#write(request);
  }

  #write(request: Request<unknown>): void {
    if (this.#out !== undefined) this.#out.add(request);
    else this.#pending.pushUnsent(request);
  }

  /** Replies have come, so there may be room for what has waited for it. */
  #writeWaiting(): void {
    for (;;) {
      const request = this.#pending.shiftWaiting();
      if (request === undefined) return;
      if (!this.#flushDue) this.#openBatch();
      this.#write(request);
    }
  }

  /** Ends it when nobody waits for anything any more. */
  close(): void {
    this.#closing = true;
    this.#out?.endLine();
    this.#closeIfUnwanted();
  }

  /** Ends it now: the server has stopped answering. */
  drop(error: MemcachedError): void {
    this.#end("silent", error);
  }

  // Writing

  #openBatch(): void {
    this.#flushDue = true;
    this.#settings.defer(this.#flush);
    this.#out?.restart();
    this.#hold(true);
    if (this.#swept) return;
    this.#swept = true;
    this.#settings.sweep.watch(this);
  }

  readonly #flush = (): void => {
    this.#flushDue = false;
    this.#pending.setDeadlines(this.#settings.sweep.now());
    this.#out?.flush();
  };

  // Connecting

  connected(): void {
    this.#unheard = this.#target.tls === undefined;
    this.#socket.write([encoder.encode(this.#handshake.start())]);
  }

  #shakeHands(): void {
    for (;;) {
      const reply = this.#replies.line(this.#dialect);
      if (reply === undefined) return;
      if (reply === null) return this.#outOfStep();
      const step = this.#handshake.next(reply);
      if ("failed" in step) return this.#end("unreachable", step.failed);
      if ("ready" in step) return this.#becomeReady(step.ready);
      this.#socket.write([encoder.encode(step.send)]);
    }
  }

  #becomeReady(dialect: DialectName): void {
    // Bytes behind the handshake's last reply were asked for by nobody.
    if (this.#replies.partial) {
      return this.#end("unreachable", failure.outOfStep(this.#target.ref));
    }
    clearInterval(this.#connectTimer);
    if (dialect === "meta") this.#dialect = new MetaDialect();
    this.#alone ||= this.#handshake.proxied;
    const paced = this.#target.tls !== undefined && !isAtLeast(this.version, UNPACED_SINCE);
    this.#phase = "ready";
    this.#owner.ready(this);
    const out = new Outgoing(this.#socket, this.#pending, {
      dialect: this.#dialect,
      alone: this.#alone,
      paced,
    });
    this.#out = out;
    const { ref } = this.#target;
    const { maxValueBytes, maxPendingBytes, timeout } = this.#settings;
    this.#in = new Incoming(
      this.#replies,
      this.#pending,
      { ref, dialect: this.#dialect, maxValueBytes, maxPendingBytes, timeout },
      this,
    );
    for (;;) {
      const request = this.#pending.shiftUnsent();
      if (request === undefined) break;
      out.add(request);
    }
    out.flush();
    out.restart();
    this.#writeWaiting();
  }

  // Reading

  place(): Uint8Array {
    return this.#replies.place();
  }

  received(count: number): void {
    this.#replies.received(count);
    this.#unheard = false;
    this.#replied = true;
    this.#heardAt = this.#settings.sweep.now();
    if (this.#in === undefined) return this.#shakeHands();
    if (this.#phase === "ended") return;
    if (!this.#in.read()) return this.#outOfStep();
    this.#writeWaiting();
    if (this.#closing) this.#closeIfUnwanted();
  }

  askAlone(members: readonly Request<unknown>[]): void {
    this.#alone = true;
    if (!this.#flushDue) this.#openBatch();
    for (const member of members) this.#out?.addAlone(member);
  }

  askOwn(request: Request<unknown>): void {
    request.promise.catch(() => undefined); // its answer is wanted, not its result
    request.measure();
    this.#pending.admitOwn(request);
    if (!this.#flushDue) this.#openBatch();
    this.#out?.add(request);
  }

  lostStep(error: MemcachedError): void {
    this.#end("dropped", error);
  }

  #outOfStep(): void {
    const { ref } = this.#target;
    if (this.#phase !== "connecting") return this.#end("dropped", failure.outOfStep(ref));
    // What has told its version is a memcached, or a proxy of one.
    const stranger = this.#handshake.version === "";
    const error = stranger ? failure.notMemcached(ref, this.#replies.head) : failure.outOfStep(ref);
    this.#end("unreachable", error);
  }

  // Time

  sweep(now: number): boolean {
    if (this.#phase === "ended") return false;
    this.#expire(now);
    if (this.#pending.isStuck(now, 2 * this.#settings.timeout)) {
      this.drop(failure.stuck(this.#target.ref));
      return false;
    }
    if (this.#closing) this.#closeIfUnwanted();
    // Only what somebody waits for keeps the process alive: no reply to a call that has timed out.
    this.#hold(this.#flushDue || this.#pending.wanted);
    return this.#swept = this.#flushDue || !this.#pending.empty;
  }

  #expire(now: number): void {
    let counted = 0;
    this.#pending.expire(now, (request, phase) => {
      if (phase === "sent" && request.timeout >= this.#settings.timeout) counted++;
      request.refuse(failure.timeout(this.#target.ref, request, phase));
    });
    // Slow, but it does answer: what times out behind a long queue is no silence.
    if (counted === 0 || now - this.#heardAt < this.#settings.timeout / 2) return;
    const replied = this.#replied;
    this.#replied = false;
    this.#owner.timedOut(this, counted, replied);
  }

  // Ending

  closed(error: Error | undefined): void {
    if (this.#phase === "ready") return this.#end("lost", error);
    if (this.#handshake.askedForMeta) return this.#end("refused-meta", error);
    this.#end(
      "unreachable",
      this.#unheard ? failure.closedUnheard(this.#target.ref, error) : error,
    );
  }

  #hold(process: boolean): void {
    if (this.#held === process) return;
    this.#held = process;
    this.#socket.hold(process);
  }

  #closeIfUnwanted(): void {
    if (!this.#pending.wanted) this.#end("closed", undefined);
  }

  #end(reason: Ending["reason"], error: Error | undefined): void {
    if (this.#phase === "ended") return;
    this.#phase = "ended";
    clearInterval(this.#connectTimer);
    const interrupted = this.#pending.due;
    const answering = this.#replies.partial ? this.#pending.oldest() : undefined;
    const oldest = this.#pending.oldest();
    const blamed = oldest?.members ?? [oldest];
    const returned: Request<unknown>[] = [];
    for (const { request, sent } of this.#pending.drain()) {
      if (sent && !this.#mayRetry(request, reason, answering)) {
        const own = blamed.includes(request);
        request.refuse(failure.lost(this.#target.ref, request, reason, error, own));
      } else returned.push(request);
    }
    // Gathered in this tick, and not written.
    returned.push(...this.#out?.takeLine() ?? []);
    this.#socket.destroy();
    this.#owner.ended(this, { reason, error, interrupted, returned });
  }

  /** Whether a request whose reply was lost may be sent again: once, and if no byte of its reply came. */
  #mayRetry(
    request: Request<unknown>,
    reason: Ending["reason"],
    answering: Request<unknown> | undefined,
  ): boolean {
    if (reason !== "lost" && reason !== "silent") return false;
    if (!request.idempotent || request.retried) return false;
    if (request === answering || request.begun) return false;
    request.retried = true;
    return true;
  }
}
