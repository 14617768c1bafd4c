/**
 * Reading: checks each reply against the oldest request and hands it over. The twin of outgoing.ts.
 */
import type { ServerRef } from "../server_ref.ts";
import type { MemcachedError } from "../errors.ts";
import { ClassicDialect, type EndAfterError, mayGoOn } from "../protocol/classic.ts";
import { type Dialect, Verdict, type VerdictName } from "../protocol/dialect.ts";
import { isStub } from "../protocol/stub.ts";
import { keepsStep, Kind, type Reply } from "../protocol/reply.ts";
import { Doubt, proof } from "./doubt.ts";
import * as failure from "./failure.ts";
import { undo } from "./leases.ts";
import type { Pending } from "./pending.ts";
import type { ReplyReader, ReplySink } from "./reply_reader.ts";
import type { Request } from "./request.ts";

/** How a connection that is ready reads. */
interface ReadingOptions {
  readonly ref: ServerRef;
  readonly dialect: Dialect;
  readonly maxValueBytes: number;
  /** How many bytes of replies may be kept while it is unknown whose they are. */
  readonly maxPendingBytes: number;
  /** The client's own timeout, in ms. */
  readonly timeout: number;
}

/** What a reply may make the connection do. */
export interface IncomingEvents {
  /**
   * A line of gets has met an error: from now on each get has a line to itself, and these are sent again.
   */
  askAlone(members: readonly Request<unknown>[]): void;
  /** Sends a command of the connection's own. */
  askOwn(request: Request<unknown>): void;
  /** After this error nobody knows what comes next. */
  lostStep(error: MemcachedError): void;
}

/** The reading half of a connection that is ready. */
export class Incoming implements ReplySink {
  readonly #reader: ReplyReader;
  readonly #pending: Pending;
  readonly #options: ReadingOptions;
  readonly #events: IncomingEvents;
  /** Finds out whose the replies are after an error line in the reply to a get. */
  #doubt: Doubt | null = null;
  /** Whether it has ever answered a command. */
  answered = false;

  constructor(
    reader: ReplyReader,
    pending: Pending,
    options: ReadingOptions,
    events: IncomingEvents,
  ) {
    this.#reader = reader;
    this.#pending = pending;
    this.#options = options;
    this.#events = events;
  }

  /** Hands out the replies that were received. False: the stream is out of step. */
  read(): boolean {
    if (!this.#reader.read(this.#options.dialect, this)) return false;
    if (this.#doubt?.needsMore) this.#events.askOwn(proof(this.#options.timeout));
    return this.#doubt === null || !this.#doubt.hopeless;
  }

  oldest(): Request<unknown> | undefined {
    return this.#pending.oldest();
  }

  accept(request: Request<unknown>, reply: Reply): VerdictName {
    const { dialect } = this.#options;
    if (reply.kind === Kind.error && this.#doubt === null && dialect.name === "classic") {
      if (mayGoOn(request, reply)) this.#beginDoubt(request);
    }
    if (this.#doubt === null) return dialect.accept(request, reply);
    // After any other error nobody knows what comes next, in doubt or not.
    if (reply.kind === Kind.error && !keepsStep(reply.text)) return Verdict.wrong;
    return this.#doubt.accept(reply);
  }

  wants(request: Request<unknown>, size: number): boolean {
    const accepted = size <= this.#options.maxValueBytes;
    if (this.#doubt !== null) return this.#doubt.keepsValue(size, accepted);
    return accepted && !request.abandoned && request.readsValue;
  }

  replied(request: Request<unknown>, reply: Reply, verdict: VerdictName): void {
    if (this.#doubt !== null) return this.#keepInDoubt(this.#doubt, reply);
    const { ref, dialect, maxValueBytes } = this.#options;
    request.begun = true;
    if (reply.kind === Kind.error) {
      const error = failure.refused(ref, reply.text, request, dialect.name);
      const keep = keepsStep(reply.text);
      if (keep && request.members !== null) this.#askAlone(request, request.members);
      else this.#refuse(request, reply, error);
      if (!keep) return this.#events.lostStep(error);
    } else if (reply.size > maxValueBytes && request.readsValue) {
      reply.upTo = reply.index + 1;
      this.#refuse(request, reply, failure.tooLarge(ref, reply.size, maxValueBytes));
    } else if (reply.kind !== Kind.nothing) {
      if (reply.leased || isStub(reply)) {
        for (const own of undo(request, reply, this.#options.timeout)) this.#events.askOwn(own);
      }
      request.take(reply);
    }
    if (verdict === Verdict.last) {
      this.answered = true;
      this.#pending.shiftSent();
      request.settle();
    }
  }

  /**
   * An error has ended a line of gets. A proxy may mean only one key of them, so each is sent again by
   * itself.
   */
  #askAlone(line: Request<unknown>, members: readonly Request<unknown>[]): void {
    line.members = members.filter((member) => member.settled);
    this.#events.askAlone(members.filter((member) => !member.settled));
  }

  /**
   * A request for many keys takes the error for the keys that it is about. Any other request is refused.
   */
  #refuse(request: Request<unknown>, reply: Reply, error: MemcachedError): void {
    if (request.keys === null) return request.refuse(error);
    reply.kind = Kind.error;
    reply.error = error;
    request.take(reply);
  }

  #beginDoubt(request: Request<unknown>): void {
    if (request.members !== null) this.#events.askAlone([]);
    this.#doubt = new Doubt(
      (index) => this.#pending.sentAt(index),
      this.#options.maxPendingBytes,
    );
  }

  #keepInDoubt(doubt: Doubt, reply: Reply): void {
    doubt.keep(reply);
    if (doubt.reading !== undefined) this.#deliver(doubt.replies, doubt.reading);
  }

  /** The doubt is over: each request gets its replies. */
  #deliver(replies: readonly Reply[], reading: EndAfterError): void {
    this.#doubt = null;
    const dialect = new ClassicDialect(reading);
    for (const reply of replies) {
      const request = this.#pending.oldest();
      if (request === undefined) return; // one of the replies has ended the connection
      this.replied(request, reply, dialect.accept(request, reply));
    }
  }
}
