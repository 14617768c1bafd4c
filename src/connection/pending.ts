/**
 * The requests of one connection: those written and waiting for their replies (`sent`), those that
 * wait for the connection itself (`unsent`), and those for many keys that wait for room (`waiting`);
 * their bounds and their deadlines.
 *
 * Requests for many keys get half of the room at most, so that single calls find some too. If there is
 * none, they wait, and the room that the next of them needs is kept free for it.
 */
import type { Request } from "./request.ts";
import { Ring } from "./ring.ts";
import type { Sweep } from "./sweep.ts";

/** How far a request has come. */
export type Phase = "connecting" | "queued" | "sent";

// How many requests may wait for room. Each belongs to a call that holds all of its keys and values
// anyway.
const MAX_WAITING = 16_384;

/** The most requests, and bytes of requests, that a connection may have without an answer. */
export interface Bounds {
  readonly maxPending: number;
  readonly maxPendingBytes: number;
}

/** All requests of a connection that are not settled. */
export class Pending {
  readonly #bounds: Bounds;
  readonly #sweep: Sweep;
  readonly #sent: Ring<Request<unknown>> = new Ring();
  readonly #unsent: Ring<Request<unknown>> = new Ring();
  readonly #waiting: Ring<Request<unknown>> = new Ring();
  /** The last so many of `sent` are in a batch that has not left: no server can have seen them. */
  #batched = 0;
  /** Requests of this batch: their deadlines are set when it leaves, by one look at the clock. */
  readonly #undated: Request<unknown>[] = [];
  #count = 0;
  #bytes = 0;
  /** How much of that requests for many keys take. */
  #manyCount = 0;
  #manyBytes = 0;
  /** No deadline is earlier than this. */
  #earliest = Infinity;

  constructor(bounds: Bounds, sweep: Sweep) {
    this.#bounds = bounds;
    this.#sweep = sweep;
  }

  get empty(): boolean {
    return this.#sent.length === 0 && this.#unsent.length === 0 && this.#waiting.length === 0;
  }

  /** Whether somebody waits for one of them. Nobody does if all have timed out or been aborted. */
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
    return this.#sent.length > this.#batched;
  }

  /** The request that the next reply belongs to. */
  oldest(): Request<unknown> | undefined {
    return this.due ? this.#sent.peek() : undefined;
  }

  /** The reads that were written and that somebody waits for, without the oldest request. */
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

  /** The request that is `index` behind the oldest, if it has left. */
  sentAt(index: number): Request<unknown> | undefined {
    return index < this.#sent.length - this.#batched ? this.#sent.at(index) : undefined;
  }

  /** The request that is `index` behind the first of the batch that has not left. */
  batchedAt(index: number): Request<unknown> | undefined {
    return this.#sent.at(this.#sent.length - this.#batched + index);
  }

  /**
   * Takes a new request, makes it wait for room, or refuses it. Then it returns the bound that was
   * reached.
   */
  admit(request: Request<unknown>): "admitted" | "waits" | keyof Bounds {
    request.measure();
    if (request.waitsForRoom) return this.#admitMany(request);
    const { maxPending, maxPendingBytes } = this.#bounds;
    const next = this.#nextWaiting();
    const count = this.#count + 1 + (next === undefined ? 0 : next.weight);
    const bytes = this.#bytes + request.size + (next === undefined ? 0 : next.size);
    if (count > maxPending) return "maxPending";
    if (bytes > maxPendingBytes) return "maxPendingBytes";
    this.admitOwn(request);
    return "admitted";
  }

  #admitMany(request: Request<unknown>): "admitted" | "waits" | keyof Bounds {
    if (this.#nextWaiting() === undefined && this.#hasRoomFor(request)) {
      this.admitOwn(request);
      return "admitted";
    }
    if (this.#waiting.length >= MAX_WAITING) return "maxPending";
    if (request.deadline < this.#earliest) this.#earliest = request.deadline;
    this.#putAside(this.#waiting, request);
    return "waits";
  }

  /**
   * Whether there is room for a request for many keys. If it is the only one, it may take more than half.
   */
  #hasRoomFor({ weight, size }: Request<unknown>): boolean {
    const { maxPending, maxPendingBytes } = this.#bounds;
    if (this.#count + weight > maxPending || this.#bytes + size > maxPendingBytes) return false;
    if (this.#manyCount === 0) return true;
    return this.#manyCount + weight <= maxPending / 2 &&
      this.#manyBytes + size <= maxPendingBytes / 2;
  }

  /** The next request that has waited for room, if there is room for it now. */
  shiftWaiting(): Request<unknown> | undefined {
    const request = this.#nextWaiting();
    if (request === undefined || !this.#hasRoomFor(request)) return undefined;
    this.#waiting.shift();
    this.admitOwn(request);
    return request;
  }

  /** The next request that waits for room and that somebody still waits for. */
  #nextWaiting(): Request<unknown> | undefined {
    while (this.#waiting.peek()?.settled) this.#waiting.shift();
    return this.#waiting.peek();
  }

  /**
   * Takes a request that is measured, whatever the bounds: one of the connection's own must not be
   * refused.
   */
  admitOwn(request: Request<unknown>): void {
    this.#count += request.weight;
    this.#bytes += request.size;
    if (request.waitsForRoom) {
      this.#manyCount += request.weight;
      this.#manyBytes += request.size;
    }
    if (request.deadline === 0) this.#undated.push(request);
    else if (request.deadline < this.#earliest) this.#earliest = request.deadline;
  }

  /** The request was written into the batch. */
  pushSent(request: Request<unknown>): void {
    this.#sent.push(request);
    this.#batched++;
  }

  /** The batch leaves. From here on a server may act on its requests, and their values are not needed. */
  batchLeaves(): void {
    if (this.#batched === 0) return;
    const now = this.#sweep.now();
    for (let i = this.#sent.length - this.#batched; i < this.#sent.length; i++) {
      const request = this.#sent.at(i)!;
      request.leftAt = now;
      request.value = "";
      request.items = null;
      if (request.members !== null) request.members.forEach(this.#notice);
    }
    this.#batched = 0;
  }

  /**
   * Notices a deadline that was set before the call was made. While gets are gathered for a line they stand in no
   * ring, so a look at the rings forgets it.
   */
  readonly #notice = ({ deadline }: Request<unknown>): void => {
    if (deadline > 0 && deadline < this.#earliest) this.#earliest = deadline;
  };

  /** The request waits for the connection. */
  pushUnsent(request: Request<unknown>): void {
    this.#putAside(this.#unsent, request);
  }

  /**
   * Requests in these two rings are encoded later. So all of them are added here, where their values are
   * copied first.
   */
  #putAside(ring: Ring<Request<unknown>>, request: Request<unknown>): void {
    request.keepValue();
    ring.push(request);
  }

  /** The next request that has waited for the connection and that somebody still waits for. */
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

  /** A batch leaves: the deadlines of its calls are counted from here. */
  setDeadlines(now: number): void {
    for (const request of this.#undated) {
      request.deadline = now + request.timeout;
      if (request.deadline < this.#earliest) this.#earliest = request.deadline;
    }
    this.#undated.length = 0;
  }

  /**
   * Hands each request whose deadline has passed to `expired`, and says how far it has come. One in a batch that has
   * not left will leave with it, and only then it is certain that a server may act on it. So it expires at the next
   * look.
   */
  expire(now: number, expired: (request: Request<unknown>, phase: Phase) => void): void {
    if (now < this.#earliest) return;
    this.#earliest = Infinity;
    const left = this.#sent.length - this.#batched;
    const rings: readonly (readonly [Phase, Ring<Request<unknown>>, certain: number])[] = [
      ["sent", this.#sent, left],
      ["connecting", this.#unsent, Infinity],
      ["queued", this.#waiting, Infinity],
    ];
    for (const [phase, ring, certain] of rings) {
      for (let i = 0; i < ring.length; i++) {
        const entry = ring.at(i)!;
        for (const request of entry.members ?? [entry]) {
          if (request.settled || request.deadline === 0) continue;
          if (request.deadline <= now && i < certain) expired(request, phase);
          else if (request.deadline < this.#earliest) this.#earliest = request.deadline;
        }
      }
    }
  }

  /**
   * Whether the oldest reply is so long overdue that it will not come: nobody waits for it any more, and it was asked
   * for before `time`.
   */
  isStuck(time: number): boolean {
    const oldest = this.oldest();
    return oldest !== undefined && oldest.abandoned && oldest.leftAt < time;
  }

  /** Takes out every request that still waits, the oldest first, and says whether a server may have seen it. */
  *drain(): Generator<{ request: Request<unknown>; sent: boolean }> {
    let { due: sent } = this;
    for (let entry = this.#sent.shift(); entry !== undefined; entry = this.#sent.shift()) {
      for (const request of entry.members ?? [entry]) {
        if (!request.settled) yield { request, sent };
      }
      sent = this.due;
    }
    this.#batched = 0;
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
