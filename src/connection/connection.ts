/**
 * One socket to one server, and the requests on it.
 *
 * A request is written at once into the batch of this turn of the event loop, or waits until the
 * handshake is through. Then it stands in a queue until its replies have come. Replies come in the order of
 * the requests. Each is checked against the oldest request, and the first that does not fit ends the
 * connection: from there on nobody can know whose bytes are whose.
 */
import type { MemcachedError } from "../errors.ts";
import { ClassicDialect } from "../protocol/classic.ts";
import type { Dialect, DialectName } from "../protocol/dialect.ts";
import { MetaDialect } from "../protocol/meta.ts";
import { ReadBuffer } from "../protocol/read_buffer.ts";
import { isAtLeast, UNPACED_SINCE } from "../protocol/version.ts";
import { Batches } from "./batches.ts";
import { clearInterval, setInterval } from "./clock.ts";
import { type Ending, type EndReason, partRequests } from "./ending.ts";
import * as failure from "./failure.ts";
import { HandshakeDriver, type HandshakeState } from "./handshake_driver.ts";
import { Incoming, type IncomingEvents } from "./incoming.ts";
import { Outgoing } from "./outgoing.ts";
import { Pending } from "./pending.ts";
import { ReplyReader } from "./reply_reader.ts";
import type { ConnectionRef, Request } from "./request.ts";
import { Silence, type SilenceEvents } from "./silence.ts";
import { Socket, type SocketEvents } from "./socket.ts";
import type { Swept } from "./sweep.ts";
import type { ConnectionSettings, Target } from "./target.ts";

/** What a connection reports to. */
export interface ConnectionOwner {
  /** The handshake is through. */
  ready(connection: Connection): void;
  ended(connection: Connection, ending: Ending): void;
  /** Nothing has come for a while although replies are due. Is called once for each such silence. */
  stalled(connection: Connection): void;
}

// connectTimeout is counted in this many slices. A blocked event loop could not read what the server
// said, so it uses up one slice at most.
const CONNECT_SLICES = 5;

/** A connection, from its first attempt to its end. */
export class Connection
  implements SocketEvents, IncomingEvents, SilenceEvents, Swept, ConnectionRef {
  readonly #target: Target;
  readonly #settings: ConnectionSettings;
  readonly #owner: ConnectionOwner;
  readonly #socket: Socket;
  readonly #handshake: HandshakeDriver;
  readonly #connectTimer: ReturnType<typeof setInterval>;
  readonly #pending: Pending;
  readonly #silence: Silence;
  readonly #batches: Batches;
  readonly #buffer = new ReadBuffer();
  readonly #replies: ReplyReader = new ReplyReader(this.#buffer);
  #dialect: Dialect = new ClassicDialect();
  /** The two halves, once the handshake is through. */
  #out: Outgoing | undefined;
  #in: Incoming | undefined;
  #phase: "connecting" | "ready" | "ended" = "connecting";
  #alone: boolean;
  #closing = false;
  #draining = false;
  #swept = false;
  /** Whether the socket keeps the process alive. */
  #held = false;

  constructor(target: Target, settings: ConnectionSettings, owner: ConnectionOwner) {
    this.#target = target;
    this.#settings = settings;
    this.#owner = owner;
    this.#pending = new Pending(settings, settings.sweep);
    this.#alone = target.alone;
    const { ref, onTrial, patience } = target;
    this.#silence = new Silence({ ...settings, ref, onTrial, patience }, this.#pending, this);
    this.#batches = new Batches(this.#pending, this.#silence, settings.sweep, this.#watch);
    this.#handshake = new HandshakeDriver(
      target,
      { protocol: settings.protocol, known: target.dialect, version: target.version },
      this.#buffer,
    );
    this.#socket = new Socket(target.address, target.tls, settings.connectTimeout, this);
    this.#socket.hold(false);
    let slices = CONNECT_SLICES;
    this.#connectTimer = setInterval(() => {
      if (--slices > 0) return;
      this.#end("unreachable", failure.connectTimeout(target.ref, settings.connectTimeout));
    }, settings.connectTimeout / CONNECT_SLICES);
    this.#connectTimer.unref();
  }

  /** The dialect in use. It means nothing before the connection is ready. */
  get dialect(): DialectName {
    return this.#dialect.name;
  }

  /** How many addresses of one family the server's name has, as far as that was seen. */
  get addresses(): number {
    return this.#socket.addresses;
  }

  /** The server's version; "" before it has told it. */
  get version(): string {
    return this.#handshake.version;
  }

  /**
   * Whether each get has a line to itself: if the server of one key is down, a proxy fails the whole
   * line, and twemproxy closes the connection too.
   */
  get alone(): boolean {
    return this.#alone;
  }

  /** Whether it has been silent for a while although replies are due. */
  get stalled(): boolean {
    return this.#silence.stalled;
  }

  /** Whether it has ever answered a command. */
  get answered(): boolean {
    return this.#in?.answered ?? false;
  }

  get connecting(): boolean {
    return this.#phase === "connecting";
  }

  /** Whether it is ready and nothing is in flight. */
  get idle(): boolean {
    return this.#phase === "ready" && this.#pending.empty;
  }

  /**
   * Reads in flight that may be sent over another connection too: all but the oldest, which holds up the
   * others.
   */
  overtakable(): Request<unknown>[] {
    return this.#pending.overtakable();
  }

  /**
   * Sends a request, or refuses it if a bound is reached. A request for many keys waits for room instead.
   */
  send(request: Request<unknown>): void {
    if (this.#phase === "ended") return this.#takeAlong(request);
    if (!request.handTo(this)) return request.refuse(failure.unbound(this.#target.ref));
    const admitted = this.#pending.admit(request);
    if (admitted !== "admitted" && admitted !== "waits") {
      return request.refuse(failure.overloaded(this.#target.ref, admitted, this.#settings));
    }
    this.#batches.begin();
    if (admitted === "admitted") this.#batches.write(request);
  }

  /** A listener that is called while the requests are taken off makes a call: it goes along with them. */
  #takeAlong(request: Request<unknown>): void {
    if (this.#draining) this.#pending.pushUnsent(request);
    else request.refuse(failure.gone(this.#target.ref));
  }

  /** Closes it when nobody waits for a reply any more. */
  close(): void {
    this.#closing = true;
    this.#out?.endLines();
    this.#closeIfUnwanted();
  }

  /** Ends it now, as silent. */
  drop(error: MemcachedError): void {
    this.#end("silent", error);
  }

  // Connecting

  connected(): void {
    this.#silence.connected();
    this.#goOn(this.#handshake.connected(this.#socket));
  }

  #goOn(state: HandshakeState): void {
    if (state === "waiting") return;
    if ("ready" in state) this.#becomeReady(state.ready);
    else this.#end("unreachable", state.failed);
  }

  #becomeReady(dialect: DialectName): void {
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
    this.#silence.ready();
    this.#batches.ready(out);
  }

  // Reading

  place(): Uint8Array {
    return this.#buffer.place();
  }

  received(count: number): void {
    this.#buffer.received(count);
    this.#silence.heard();
    if (this.#phase === "ended") return;
    if (this.#in === undefined) return this.#goOn(this.#handshake.received(this.#socket));
    if (!this.#in.read()) return this.#outOfStep();
    this.#batches.writeWaiting();
    if (!this.#closing) return;
    this.#out?.endLines();
    this.#closeIfUnwanted();
  }

  askAlone(members: readonly Request<unknown>[]): void {
    this.#alone = true;
    this.#batches.begin();
    for (const member of members) this.#out?.addAlone(member);
  }

  askOwn(request: Request<unknown>): void {
    request.promise.catch(() => undefined); // only that it is answered counts
    // On another connection, perhaps to another server, it would undo what nobody has done.
    request.bind(this);
    request.measure();
    this.#pending.admitOwn(request);
    this.#batches.begin();
    this.#out?.add(request);
  }

  lostStep(error: MemcachedError): void {
    this.#end("dropped", error);
  }

  #outOfStep(): void {
    this.#end("dropped", failure.outOfStep(this.#target.ref));
  }

  // Time

  sweep(now: number, blocked: number): boolean {
    if (this.#phase === "ended") return false;
    this.#batches.used();
    this.#batches.flushOverdue();
    this.#silence.look(now, blocked);
    if (this.#closing) this.#closeIfUnwanted();
    // Only a request that somebody waits for keeps the process alive, not the reply to a call that has
    // timed out.
    this.#hold(this.#batches.due || this.#pending.wanted);
    return this.#swept = this.#batches.due || !this.#pending.empty;
  }

  readonly #watch = (): void => {
    this.#hold(true);
    if (this.#swept) return;
    this.#swept = true;
    this.#settings.sweep.watch(this);
  };

  hasStalled(): void {
    this.#owner.stalled(this);
  }

  isSilent(): void {
    this.drop(failure.stuck(this.#target.ref));
  }

  // Ending

  closed(error: Error | undefined): void {
    if (this.#phase === "ready") return this.#end("lost", error);
    if (this.#handshake.askedForMeta) return this.#end("refused-meta", error);
    this.#end("unreachable", this.#handshake.closed(error));
  }

  #hold(process: boolean): void {
    if (this.#held === process) return;
    this.#held = process;
    this.#socket.hold(process);
  }

  #closeIfUnwanted(): void {
    if (!this.#pending.wanted) this.#end("closed", undefined);
  }

  #end(reason: EndReason, error: Error | undefined): void {
    if (this.#phase === "ended") return;
    this.#phase = "ended";
    this.#batches.end();
    clearInterval(this.#connectTimer);
    const { answered } = this;
    const interrupted = this.#pending.due;
    const answering = this.#replies.partial ? this.#pending.oldest() : undefined;
    const { ref } = this.#target;
    this.#out?.unwrite();
    this.#draining = true;
    const returned = partRequests(this.#pending, ref, { reason, error }, answering);
    // These were gathered in this turn of the loop and not written yet.
    returned.push(...this.#out?.takeLines() ?? []);
    this.#draining = false;
    this.#socket.destroy();
    this.#owner.ended(this, { reason, error, interrupted, answered, returned });
  }
}
