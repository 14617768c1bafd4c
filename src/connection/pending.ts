/**
 * The requests of one connection: those written and waiting for their replies (`sent`), those that
 * wait for the connection itself (`unsent`), and those for many keys that wait for room (`waiting`);
 * their bounds and their deadlines.
 *
 * Requests for many keys have half of the room at most, so that single calls find some, and wait for it,
 * whoever took it; what they wait for is kept free for them.
 */
import type { Request } from "./request.ts";
import { Ring } from "./ring.ts";

/** How far a request has come. */
export type Phase = "connecting" | "queued" | "sent";

// Requests that may wait for room. Each belongs to a call that holds all of its keys and values anyway.
const MAX_WAITING = 16_384;

/** Bounds of what a connection may have unanswered. */
export interface Bounds {
  readonly maxPending: number;
  readonly maxPendingBytes: number;
}

/** What a connection owes its callers. */
export class Pending {
  readonly #bounds: Bounds;
  readonly #sent: Ring<Request<unknown>> = new Ring();
  readonly #unsent: Ring<Request<unknown>> = new Ring();
  readonly #waiting: Ring<Request<unknown>> = new Ring();
  /** Requests of this tick: their deadlines are set when it ends, by one look at the clock. */
  readonly #fresh: Request<unknown>[] = [];
  #count = 0;
  #bytes = 0;
  /** Of those, what requests for many keys take. */
  #manyCount = 0;
  #manyBytes = 0;
  /** No deadline is before this. */
  #earliest = Infinity;

  constructor(bounds: Bounds) {
    this.#bounds = bounds;
  }

  get empty(): boolean {
    return this.#sent.length === 0 && this.#unsent.length === 0 && this.#waiting.length === 0;
  }

  /** Whether somebody waits for one of them: not so if all have timed out or been aborted. */
  get wanted(): boolean {
    for (const ring of [this.#sent, this.#unsent, this.#waiting]) {
      for (let i = 0; i < ring.length; i++) {
        if (!ring.at(i)!.abandoned) return true;
      }
    }
    return false;
  }

  /** Whether replies are due. */
  get due(): boolean {
    return this.#sent.length > 0;
  }

  /** The request that the next reply belongs to. */
  oldest(): Request<unknown> | undefined {
    return this.#sent.peek();
  }

  /** What was written, is still waited for and changes nothing, but for the oldest. */
  overtakable(): Request<unknown>[] {
    const found: Request<unknown>[] = [];
    for (let i = 0; i < this.#sent.length; i++) {
      const entry = this.#sent.at(i)!;
      if (i === 0 && entry.members === null) continue;
      for (const request of entry.members ?? [entry]) {
        if (!request.settled && request.readsOnly) found.push(request);
      }
    }
    return found;
  }

  /** The request that is `index` behind the oldest, if it was written. */
  sentAt(index: number): Request<unknown> | undefined {
    return this.#sent.at(index);
  }

  /** Takes a new request, has it wait for room, or refuses it: which bound was reached. */
  admit(request: Request<unknown>): "admitted" | "waits" | keyof Bounds {
    request.measure();
    if (request.waitsForRoom) return this.#admitMany(request);
    const { maxPending, maxPendingBytes } = this.#bounds;
    const next = this.#waiting.peek();
    const count = this.#count + 1 + (next === undefined ? 0 : next.weight);
    const bytes = this.#bytes + request.size + (next === undefined ? 0 : next.size);
    if (count > maxPending) return "maxPending";
    if (bytes > maxPendingBytes) return "maxPendingBytes";
    this.admitOwn(request);
    return "admitted";
  }

  #admitMany(request: Request<unknown>): "admitted" | "waits" | keyof Bounds {
    if (this.#waiting.length === 0 && this.#hasRoomFor(request)) {
      this.admitOwn(request);
      return "admitted";
    }
    if (this.#waiting.length >= MAX_WAITING) return "maxPending";
    if (request.deadline < this.#earliest) this.#earliest = request.deadline;
    this.#putAside(this.#waiting, request);
    return "waits";
  }

  /** Whether there is room for a request for many keys: one may be larger than half of all. */
  #hasRoomFor({ weight, size }: Request<unknown>): boolean {
    const { maxPending, maxPendingBytes } = this.#bounds;
    if (this.#count + weight > maxPending || this.#bytes + size > maxPendingBytes) return false;
    if (this.#manyCount === 0) return true;
    return this.#manyCount + weight <= maxPending / 2 &&
      this.#manyBytes + size <= maxPendingBytes / 2;
  }

  /** The next one that has waited for room and finds it now. */
  shiftWaiting(): Request<unknown> | undefined {
    for (;;) {
      const request = this.#waiting.peek();
      if (request === undefined || (!request.settled && !this.#hasRoomFor(request))) {
        return undefined;
      }
      this.#waiting.shift();
      if (request.settled) continue;
      this.admitOwn(request);
      return request;
    }
  }

  /** Takes a request of the connection's own, which no bound may refuse; it is measured. */
  admitOwn(request: Request<unknown>): void {
    this.#count += request.weight;
    this.#bytes += request.size;
    if (request.waitsForRoom) {
      this.#manyCount += request.weight;
      this.#manyBytes += request.size;
    }
    if (request.deadline === 0) this.#fresh.push(request);
    else if (request.deadline < this.#earliest) this.#earliest = request.deadline;
  }

  /** The request was written. */
  pushSent(request: Request<unknown>): void {
    this.#sent.push(request);
  }

  /** The request waits for the connection. */
  pushUnsent(request: Request<unknown>): void {
    this.#putAside(this.#unsent, request);
  }

  /** The one way into the rings whose requests are encoded later: their values must not change meanwhile. */
  #putAside(ring: Ring<Request<unknown>>, request: Request<unknown>): void {
    request.keepValue();
    ring.push(request);
  }

  /** The next one that waited for the connection and is still wanted. */
  shiftUnsent(): Request<unknown> | undefined {
    for (;;) {
      const request = this.#unsent.shift();
      if (request === undefined || !request.settled) return request;
      this.#release(request);
    }
  }

  /** All replies of the oldest request have come. */
  shiftSent(): void {
    const request = this.#sent.shift();
    if (request !== undefined) this.#release(request);
  }

  /** The end of a tick: its calls have their deadlines from here. */
  setDeadlines(now: number): void {
    for (const request of this.#fresh) {
      request.deadline = now + request.timeout;
      if (request.deadline < this.#earliest) this.#earliest = request.deadline;
    }
    this.#fresh.length = 0;
  }

  /** Hands each request whose deadline has passed to `expired`, with how far it has come. */
  expire(now: number, expired: (request: Request<unknown>, phase: Phase) => void): void {
    if (now < this.#earliest) return;
    this.#earliest = Infinity;
    const rings: readonly (readonly [Phase, Ring<Request<unknown>>])[] = [
      ["sent", this.#sent],
      ["connecting", this.#unsent],
      ["queued", this.#waiting],
    ];
    for (const [phase, ring] of rings) {
      for (let i = 0; i < ring.length; i++) {
        const entry = ring.at(i)!;
        for (const request of entry.members ?? [entry]) {
          if (request.settled || request.deadline === 0) continue;
          if (request.deadline <= now) expired(request, phase);
          else if (request.deadline < this.#earliest) this.#earliest = request.deadline;
        }
      }
    }
  }

  /**
   * Whether the oldest reply, which nobody waits for any more, is so long overdue that it will not come:
   * asked for before `time`, and not before the connection was ready for it.
   */
  isStuck(time: number, readyAt: number): boolean {
    const oldest = this.oldest();
    if (oldest === undefined || !oldest.abandoned) return false;
    const { deadline, timeout } = oldest.members?.[0] ?? oldest;
    return deadline > 0 && Math.max(deadline - timeout, readyAt) < time;
  }

  /** Takes everything out that still waits, oldest first, with whether it was written. */
  *drain(): Generator<{ request: Request<unknown>; sent: boolean }> {
    for (let entry = this.#sent.shift(); entry !== undefined; entry = this.#sent.shift()) {
      for (const request of entry.members ?? [entry]) {
        if (!request.settled) yield { request, sent: true };
      }
    }
    for (
      let request = this.#unsent.shift();
      request !== undefined;
      request = this.#unsent.shift()
    ) {
      if (!request.settled) yield { request, sent: false };
    }
    for (
      let request = this.#waiting.shift();
      request !== undefined;
      request = this.#waiting.shift()
    ) {
      if (!request.settled) yield { request, sent: false };
    }
  }

  #release(request: Request<unknown>): void {
    if (request.members !== null) {
      for (const member of request.members) this.#release(member);
      return;
    }
    this.#count -= request.weight;
    this.#bytes -= request.size;
    if (!request.waitsForRoom) return;
    this.#manyCount -= request.weight;
    this.#manyBytes -= request.size;
  }
}
