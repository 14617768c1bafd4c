/**
 * An error line in a get's reply does not tell where that reply ends. twemproxy sends it in place of the
 * whole reply; memcached's own proxy sends it in place of one key's VALUE, and END still follows. Taken
 * for the wrong one, each reply behind it would be counted to the next call.
 *
 * So what follows is read in every way at once and kept, until only one way is left that fits the
 * commands in flight. Then it is delivered as that way has it. If nothing in flight can tell, the
 * connection sends a command of its own.
 */
import { Buffer } from "node:buffer";
import { randomUUID } from "node:crypto";
import { ClassicDialect, type EndAfterError } from "../protocol/classic.ts";
import type { Command } from "../protocol/command.ts";
import { Verdict, type VerdictName } from "../protocol/dialect.ts";
import { Kind, Reply, type ReplyKind } from "../protocol/reply.ts";
import { Request } from "./request.ts";

// In this order no reading is further on than the one before it.
const READINGS: readonly EndAfterError[] = ["never", "several", "always"];

/**
 * A command whose answer is no get's. One of two by chance: a proxy may answer any of them with an error
 * too, and a reading that takes such an error for the answer is out by one from there on. With two that
 * differ it meets a wrong answer soon.
 */
export function proof(timeout: number): Request<void> {
  const operation = Math.random() < 0.5 ? "version" : "delete";
  const key = operation === "delete" ? `memwire:nothing:${randomUUID()}` : "";
  return new Request<void>(operation, key, () => undefined, timeout);
}

/** The replies since an error line, until it is clear whose they are. */
export class Doubt {
  readonly #mostBytes: number;
  #readings: Reading[];
  readonly #kept: Reply[] = [];
  #keptBytes = 0;
  /** What the reply was before a reading translated it, and the key of its value. */
  #kind: ReplyKind = Kind.nothing;
  #key: Buffer = Buffer.alloc(0);
  /** The value that is being read is read past, not kept. */
  #passing = false;
  #tooMuch = false;

  /** `requestAt` gives what is in flight, the oldest at 0; `mostBytes` is how much may be kept. */
  constructor(requestAt: (index: number) => Request<unknown> | undefined, mostBytes: number) {
    this.#mostBytes = mostBytes;
    this.#readings = READINGS.map((name) => new Reading(name, requestAt));
  }

  /** Reads one more reply in every way; wrong: no way is left. */
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

  /** Whether a value of this size is kept, asked when its header was read; `wanted`: the client accepts it. */
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

  /** Whether it will never be clear: too much came to be kept, or several ways explain everything. */
  get hopeless(): boolean {
    const slowest = this.#readings.at(-1);
    return this.#tooMuch || this.#keptBytes > this.#mostBytes ||
      (slowest !== undefined && slowest.waitsForNothing && !this.#agreed);
  }

  /** Whether everything in flight may have been answered, so that only another command can tell. */
  get needsMore(): boolean {
    return this.#readings[0]?.waitsForNothing === true;
  }

  /** The way in which all that was kept is to be read, once there is only one. */
  get reading(): EndAfterError | undefined {
    const [first] = this.#readings;
    return first !== undefined && this.#agreed && !first.insideReply ? first.name : undefined;
  }

  /** What was kept, in its order. */
  get replies(): readonly Reply[] {
    return this.#kept;
  }

  /** Whether the readings that are left have given each line to the same request. */
  get #agreed(): boolean {
    return this.#readings.every(({ path }) => path === this.#readings[0]?.path);
  }

  /** Readings of one path part when a line has brought one of them further than the other. */
  #part(): void {
    const leaders = this.#readings.map((reading) =>
      this.#readings.find((other) => other.path === reading.path && other.isAt(reading))
    );
    this.#readings.forEach((reading, i) => reading.path = leaders[i]!.name);
  }
}

/** One way to read what follows. */
class Reading {
  readonly name: EndAfterError;
  /** Which request the next line belongs to. */
  index = 0;
  /** The same for readings that have given every line to the same request. */
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

  /** Whether it waits for the same reply of the same command. */
  isAt(other: Reading): boolean {
    return this.index === other.index && this.#command?.answered === other.#command?.answered;
  }

  /** Whether it has explained everything that is in flight. */
  get waitsForNothing(): boolean {
    return this.#requestAt(this.index) === undefined;
  }

  /** Whether an error line has come and the END that it takes for due has not. */
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

/** A command of which a reading counts the replies by itself. */
function progressOf(request: Command): Command {
  const { operation, key, keys, items, value, flags, exptime, cas, delta } = request;
  const command = { operation, key, keys, items, value, flags, exptime, cas, delta };
  const { vivify, recache, opaque, answered, lineEnd } = request;
  return { ...command, vivify, recache, opaque, answered, lineEnd };
}
