/**
 * An error line in the reply to a get does not tell where that reply ends. twemproxy sends it in place of
 * the whole reply. memcached's own proxy sends it in place of one key's VALUE, and END still follows. If
 * one were taken for the other, every later reply would go to the wrong call.
 *
 * So the replies that follow are kept and read in every way at once, until only one way fits the commands
 * in flight. Then they are delivered as that way reads them. If no command in flight can decide it, the
 * connection sends one of its own.
 */
import { Buffer } from "node:buffer";
import { randomUUID } from "node:crypto";
import { ClassicDialect, type EndAfterError } from "../protocol/classic.ts";
import type { Command } from "../protocol/command.ts";
import { Verdict, type VerdictName } from "../protocol/dialect.ts";
import { Kind, Reply, type ReplyKind } from "../protocol/reply.ts";
import { Request } from "./request.ts";

// In this order, no reading is ever ahead of the one before it.
const READINGS: readonly EndAfterError[] = ["never", "several", "always"];

/**
 * A command whose answer cannot be one to a get. We send one of two, at random. A proxy may answer it with an
 * error, and a reading that takes another error for that answer is one reply off from there on. Because the
 * commands differ, it soon meets an answer that does not fit.
 */
export function proof(timeout: number): Request<void> {
  const operation = Math.random() < 0.5 ? "version" : "delete";
  const key = operation === "delete" ? `memwire:nothing:${randomUUID()}` : "";
  return new Request<void>(operation, key, () => undefined, timeout);
}

/** The replies since an error line, kept until it is clear whose they are. */
export class Doubt {
  readonly #mostBytes: number;
  #readings: Reading[];
  readonly #kept: Reply[] = [];
  #keptBytes = 0;
  /** The reply's kind before a reading translated it, and the key of its value. */
  #kind: ReplyKind = Kind.nothing;
  #key: Buffer = Buffer.alloc(0);
  /** The value that is being received is skipped, not kept. */
  #passing = false;
  #tooMuch = false;

  /** `requestAt` gives the requests in flight, the oldest at 0. At most `mostBytes` bytes are kept. */
  constructor(requestAt: (index: number) => Request<unknown> | undefined, mostBytes: number) {
    this.#mostBytes = mostBytes;
    this.#readings = READINGS.map((name) => new Reading(name, requestAt));
  }

  /** Reads one more reply in every way that is left; wrong: none fits. */
  accept(reply: Reply): VerdictName {
    const { kind, text } = reply;
    this.#kind = kind;
    if (reply.size >= 0) {
      this.#key = Buffer.from(reply.bytes.subarray(reply.keyFrom, reply.keyTo));
    }
    this.#readings = this.#readings.filter((reading) => {
      reply.kind = kind;
      const fits = reading.accept(reply);
      reply.text = text;
      return fits;
    });
    this.#part();
    return this.#readings.length === 0 ? Verdict.wrong : Verdict.more;
  }

  /**
   * Whether to keep a value of this size, asked when its header has been read; `wanted`: the client
   * accepts it.
   */
  keepsValue(size: number, wanted: boolean): boolean {
    if (wanted && this.#keptBytes + size > this.#mostBytes) this.#tooMuch = true;
    this.#passing = !wanted || this.#tooMuch;
    return !this.#passing;
  }

  /** Keeps the reply that was read last. */
  keep(reply: Reply): void {
    const own = Object.assign(new Reply(), reply);
    own.kind = this.#kind;
    own.owned = false;
    if (reply.size >= 0) {
      const value = this.#passing ? [] : [reply.bytes.subarray(reply.from, reply.to)];
      own.bytes = Buffer.concat([this.#key, ...value]);
      own.keyFrom = 0;
      own.keyTo = own.from = this.#key.length;
    } else if (this.#kind === Kind.number) {
      own.bytes = Buffer.from(reply.bytes.subarray(reply.from, reply.to));
      own.from = 0;
    }
    own.to = own.bytes.length;
    this.#keptBytes += own.to;
    this.#passing = false;
    this.#kept.push(own);
  }

  /** Whether it will never be clear: there is too much to keep, or several ways explain everything. */
  get hopeless(): boolean {
    const slowest = this.#readings.at(-1);
    return this.#tooMuch || this.#keptBytes > this.#mostBytes ||
      (slowest !== undefined && slowest.waitsForNothing && !this.#agreed);
  }

  /** Whether everything in flight may have been answered, so that only another command can decide it. */
  get needsMore(): boolean {
    return this.#readings[0]?.waitsForNothing === true;
  }

  /** The way to read what was kept, once only one is left. */
  get reading(): EndAfterError | undefined {
    const [first] = this.#readings;
    return first !== undefined && this.#agreed && !first.insideReply ? first.name : undefined;
  }

  /** The replies that were kept, in their order. */
  get replies(): readonly Reply[] {
    return this.#kept;
  }

  /** Whether the readings that are left have given each line to the same request. */
  get #agreed(): boolean {
    return this.#readings.every(({ path }) => path === this.#readings[0]?.path);
  }

  /** Gives readings of one path different paths as soon as a line has brought them to different places. */
  #part(): void {
    const leaders = this.#readings.map((reading) =>
      this.#readings.find((other) => other.path === reading.path && other.isAt(reading))
    );
    this.#readings.forEach((reading, i) => reading.path = leaders[i]!.name);
  }
}

/** One way to read the replies that follow. */
class Reading {
  readonly name: EndAfterError;
  /** Which request the next line belongs to. */
  index = 0;
  /** Equal for readings that have given every line to the same request. */
  path: EndAfterError = READINGS[0]!;
  readonly #requestAt: (index: number) => Command | undefined;
  readonly #dialect: ClassicDialect;
  /** How far the reply to that request has come in this reading. */
  #command: Command | undefined;

  constructor(name: EndAfterError, requestAt: (index: number) => Command | undefined) {
    this.name = name;
    this.#requestAt = requestAt;
    this.#dialect = new ClassicDialect(name);
  }

  /** Whether both wait for the same reply of the same command. */
  isAt(other: Reading): boolean {
    return this.index === other.index && this.#command?.answered === other.#command?.answered;
  }

  /** Whether it has given an answer to every request in flight. */
  get waitsForNothing(): boolean {
    return this.#requestAt(this.index) === undefined;
  }

  /** Whether an error line has come, and the END that this reading expects has not. */
  get insideReply(): boolean {
    return this.#dialect.awaitsEnd;
  }

  /** Takes the next line; false: it does not fit. */
  accept(reply: Reply): boolean {
    if (this.#command === undefined) {
      const request = this.#requestAt(this.index);
      if (request === undefined) return false;
      this.#command = progressOf(request);
    }
    const verdict = this.#dialect.accept(this.#command, reply);
    if (verdict === Verdict.last) {
      this.index++;
      this.#command = undefined;
    }
    return verdict !== Verdict.wrong;
  }
}

/** A copy of the command, so that each reading counts its replies for itself. */
function progressOf(request: Command): Command {
  const { operation, key, keys, items, value, flags, exptime, cas, delta } = request;
  const command = { operation, key, keys, items, value, flags, exptime, cas, delta };
  const { vivify, recache, opaque, answered, lineEnd } = request;
  return { ...command, vivify, recache, opaque, answered, lineEnd };
}
