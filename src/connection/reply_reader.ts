/**
 * Received bytes in, checked replies out: "parse, else read more". Large values are read into a buffer of
 * their own, and those that nobody waits for are skipped.
 */
import { CR, LF } from "../protocol/ascii.ts";
import { type Dialect, Verdict, type VerdictName } from "../protocol/dialect.ts";
import { LARGE_BYTES, type ReadBuffer } from "../protocol/read_buffer.ts";
import { GARBAGE, INCOMPLETE, Reply } from "../protocol/reply.ts";
import type { Request } from "./request.ts";

/** The longest legal line is that of a VALUE with a key of 250 bytes; the rest is room for an error's words. */
export const MAX_LINE = 2048;

/** What a reader asks about replies, and hands them to. */
export interface ReplySink {
  /** The request to which the next reply must belong. */
  oldest(): Request<unknown> | undefined;
  /** What the reply means for that request. */
  accept(request: Request<unknown>, reply: Reply): VerdictName;
  /**
   * Takes a reply to the oldest request. After `Verdict.last` that request is not the oldest any more.
   */
  replied(request: Request<unknown>, reply: Reply, verdict: VerdictName): void;
  /** Whether a value of this size is still wanted, asked when its header has been read. */
  wants(request: Request<unknown>, size: number): boolean;
}

/** Reads the replies of one connection. */
export class ReplyReader {
  readonly #buffer: ReadBuffer;
  readonly #reply = new Reply();
  // The request and verdict of a large value that is being read or skipped.
  #pending: Request<unknown> | null = null;
  #pendingVerdict: VerdictName = Verdict.wrong;
  // How far its replies will have come with it.
  #pendingAnswered = 0;

  /** `buffer` holds what the socket receives. */
  constructor(buffer: ReadBuffer) {
    this.#buffer = buffer;
  }

  /** Whether part of a reply has been received. */
  get partial(): boolean {
    return this.#buffer.pending || this.#pending !== null;
  }

  /** Hands every reply that has been received to the sink. False: the stream is out of step. */
  read(dialect: Dialect, sink: ReplySink): boolean {
    const buffer = this.#buffer;
    const reply = this.#reply;
    reply.reads(buffer.end);
    for (;;) {
      if (this.#pending !== null) {
        const ended = this.#endLarge(sink);
        if (ended === undefined) return true;
        if (!ended) return false;
      }
      if (buffer.start === buffer.end) return true;
      const request = sink.oldest();
      // Nobody has asked for anything, so not even the beginning of a line can be right.
      if (request === undefined) return false;
      const after = dialect.parse(buffer.bytes, buffer.start, buffer.end, reply, request);
      if (after === GARBAGE) return false;
      if (after === INCOMPLETE) return !this.#tooLong();
      if (reply.size < 0) {
        buffer.start = after;
      } else {
        const to = after + reply.size;
        if (to + 2 > buffer.end) {
          if (to < buffer.end && buffer.bytes[to] !== CR) return false;
          // A small value is parsed again from its header when the rest has come.
          if (reply.size < LARGE_BYTES) return true;
          const { answered } = request;
          const verdict = sink.accept(request, reply);
          if (verdict === Verdict.wrong) return false;
          buffer.start = after;
          this.#beginLarge(request, verdict, sink);
          // If the rest never comes, the key has failed, and is not absent.
          this.#pendingAnswered = request.answered;
          request.answered = answered;
          continue;
        }
        if (buffer.bytes[to] !== CR || buffer.bytes[to + 1] !== LF) return false;
        reply.from = after;
        reply.to = to;
        buffer.start = to + 2;
      }
      const verdict = sink.accept(request, reply);
      if (verdict === Verdict.wrong) return false;
      sink.replied(request, reply, verdict);
    }
  }

  #beginLarge(request: Request<unknown>, verdict: VerdictName, sink: ReplySink): void {
    this.#pending = request;
    this.#pendingVerdict = verdict;
    const { size } = this.#reply;
    if (sink.wants(request, size)) this.#buffer.beginLarge(size);
    else this.#buffer.skip(size);
  }

  /**
   * Ends a large value if all of its bytes and its CRLF have been received. Undefined: not yet; false:
   * there is no CRLF.
   */
  #endLarge(sink: ReplySink): boolean | undefined {
    const buffer = this.#buffer;
    const reply = this.#reply;
    if (buffer.skipping || (buffer.readingLarge && buffer.large === null)) return undefined;
    if (buffer.end - buffer.start < 2) return undefined;
    if (buffer.bytes[buffer.start] !== CR || buffer.bytes[buffer.start + 1] !== LF) return false;
    buffer.start += 2;
    if (buffer.large !== null) {
      reply.bytes = buffer.large;
      reply.from = 0;
      reply.to = reply.size;
      reply.owned = true;
      reply.reads(-1);
      buffer.endLarge();
    }
    const request = this.#pending!;
    this.#pending = null;
    request.answered = this.#pendingAnswered;
    sink.replied(request, reply, this.#pendingVerdict);
    return true;
  }

  #tooLong(): boolean {
    return this.#buffer.end - this.#buffer.start > MAX_LINE;
  }
}
