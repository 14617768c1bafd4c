/**
 * The meta dialect: `mg`, `ms`, `md`, `ma` (memcached's doc/protocol.txt, "Meta Commands"; 1.6.18 and
 * newer, which return the opaque on a miss too). Every reply but an error carries the opaque of its
 * command, a number that goes up by one with each.
 *
 * The exception is `cas`, which is sent as a classic line: cas_line.ts says why. Its reply carries no
 * opaque, so it is matched by its place in the queue and by its words: only a request that sent a `cas`
 * line accepts them, and it accepts nothing else. If there is one reply too many or too few, the
 * connection therefore ends at the next reply to a meta command at the latest.
 */
import type { Buffer } from "node:buffer";
import { acceptCas, encodeCas } from "./cas_line.ts";
import { parseClassicLine } from "./classic_reply.ts";
import { type Command, KEEP_EXPTIME, type StoredItem } from "./command.ts";
import { isCount } from "./digits.ts";
import { type Dialect, Verdict, type VerdictName } from "./dialect.ts";
import { parseMetaLine } from "./meta_reply.ts";
import { Kind, type Reply } from "./reply.ts";
import type { WriteBuffer } from "./write_buffer.ts";

// Replies come in order, so a small number tells them apart: only a stream that lost this many would look
// right.
const OPAQUES = 10_000;

// The ends of lines are made once for each opaque. To make a text for each request takes 40 ns in Bun. A line of
// fewer pieces is cheaper too: with three instead of five a get takes 5 % less CPU.
const ends: string[] = [];
const getEnds: string[] = [];

/** The end of every command's line. */
function endOf(opaque: number): string {
  return ends[opaque] ??= ` O${opaque}\r\n`;
}

/** The line of a get. */
function mgLine(key: string, opaque: number): string {
  return "mg " + key + (getEnds[opaque] ??= ` v f O${opaque}\r\n`);
}

/** The meta dialect on one connection. */
export class MetaDialect implements Dialect {
  readonly name = "meta";
  readonly lineKeys = 1;
  #nextOpaque = 0;

  encode(command: Command, out: WriteBuffer): void {
    const { operation, key } = command;
    command.answered = 0;
    if (operation === "version") return out.text("version\r\n");
    if (command.keys !== null) return this.#encodeMany(command, command.keys, out);
    if (operation === "cas") return encodeCas(command, out);
    const opaque = command.opaque = this.#nextOpaque;
    this.#nextOpaque = opaque + 1 === OPAQUES ? 0 : opaque + 1;
    if (operation === "get") return out.text(mgLine(key, opaque));
    const end = endOf(opaque);
    switch (operation) {
      case "has":
        // Flags and size show whether it is a stub, and the token is needed to give a lease back: see
        // leases.ts.
        return out.text(`mg ${key} s f c${end}`);
      case "gets":
      case "gat":
        // The server goes through the flags from left to right, so `t` before `T` returns the old ttl,
        // which a stub gets back.
        return out.text(`mg ${key} v f c t${newExptime(command)}${end}`);
      case "set":
        return store(key, command, "", command.exptime, end, out);
      case "add":
        return store(key, command, " ME", command.exptime, end, out);
      case "replace":
        return store(key, command, " MR", command.exptime, end, out);
      case "append":
        return store(key, command, " MA", command.exptime, end, out);
      case "prepend":
        return store(key, command, " MP", command.exptime, end, out);
      case "delete":
        return out.text(`md ${key}${command.cas === "" ? "" : ` C${command.cas}`}${end}`);
      case "touch":
        return out.text(`mg ${key} s f c t${newExptime(command)}${end}`);
      case "token":
        return out.text(`mg ${key} c${end}`);
      case "lease": {
        const recache = command.recache === 0 ? "" : ` R${command.recache}`;
        return out.text(`mg ${key} v f c N${command.vivify}${recache}${end}`);
      }
      case "invalidate":
        return out.text(`md ${key} I${newExptime(command)}${end}`);
      case "rearm":
        return out.text(`md ${key} I C${command.cas}${end}`);
      case "restoreTtl":
        return out.text(`mg ${key}${newExptime(command)}${end}`);
      case "refresh":
        return out.text(`mg ${key} f c${newExptime(command)}${end}`);
      case "increment":
      case "decrement":
        return out.text(
          `ma ${key} v${operation === "decrement" ? " MD" : ""} D${command.delta}${end}`,
        );
      default:
        // The others were written above.
        operation satisfies "getMany" | "setMany" | "deleteMany" | "getsMany";
    }
  }

  /** Writes a command for each key, each with an opaque of its own. */
  #encodeMany(command: Command, keys: readonly string[], out: WriteBuffer): void {
    const { operation, items, exptime } = command;
    if (operation === "getsMany") {
      throw new TypeError("only the classic dialect has lines with tokens");
    }
    let opaque = command.opaque = this.#nextOpaque;
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i]!;
      if (operation === "getMany") out.text(mgLine(key, opaque));
      else if (operation === "deleteMany") out.text(`md ${key}${endOf(opaque)}`);
      else store(key, items?.[i]!, "", exptime, endOf(opaque), out);
      if (++opaque === OPAQUES) opaque = 0;
    }
    this.#nextOpaque = opaque;
  }

  parse(bytes: Buffer, at: number, end: number, reply: Reply, command?: Command): number {
    return command?.operation === "cas"
      ? parseClassicLine(bytes, at, end, reply)
      : parseMetaLine(bytes, at, end, reply);
  }

  accept(command: Command, reply: Reply): VerdictName {
    const { operation, answered } = command;
    if (operation === "cas") return acceptCas(reply);
    if ((reply.kind & repliesTo(operation)) === 0) return Verdict.wrong;
    // An error line never carries the opaque, not even of a command that sent one.
    if ((reply.kind & (Kind.error | Kind.version)) === 0) {
      if (reply.opaque !== (command.opaque + answered) % OPAQUES) return Verdict.wrong;
    }
    if (reply.kind === Kind.value && (operation === "increment" || operation === "decrement")) {
      // A large value has not been received yet, and no count is large.
      const whole = reply.to - reply.from === reply.size;
      return whole && isCount(reply.bytes, reply.from, reply.to) ? Verdict.last : Verdict.wrong;
    }
    // A value without the flags that were asked for would be read as bytes.
    const flagged = reply.kind === Kind.value ||
      (reply.kind === Kind.done && operation === "refresh");
    if (flagged && reply.flags < 0) return Verdict.wrong;
    if (command.keys === null) return Verdict.last;
    reply.index = answered;
    reply.upTo = command.answered = answered + 1;
    return command.answered === command.keys.length ? Verdict.last : Verdict.more;
  }
}

/** The kinds of reply that an operation may have. To look them up in a table by name takes 2 % of a get. */
function repliesTo(operation: Exclude<Command["operation"], "cas">): number {
  switch (operation) {
    case "get":
    case "gets":
    case "gat":
    case "getMany":
    case "lease":
      return Kind.value | Kind.miss | Kind.error;
    case "set":
    case "setMany":
      return Kind.done | Kind.error;
    case "add":
    case "replace":
    case "append":
    case "prepend":
      return Kind.done | Kind.notStored | Kind.error;
    case "delete":
    case "rearm":
      return Kind.done | Kind.notFound | Kind.exists | Kind.error;
    case "deleteMany":
    case "invalidate":
      return Kind.done | Kind.notFound | Kind.error;
    case "has":
    case "touch":
    case "token":
    case "restoreTtl":
    case "refresh":
      return Kind.done | Kind.miss | Kind.error;
    case "increment":
    case "decrement":
      return Kind.value | Kind.notFound | Kind.notStored | Kind.error;
    case "version":
      return Kind.version | Kind.error;
    case "getsMany":
      return 0; // only classic has it
  }
}

function newExptime(command: Command): string {
  return command.exptime === KEEP_EXPTIME ? "" : ` T${command.exptime}`;
}

function store(
  key: string,
  { value, flags }: StoredItem,
  mode: string,
  exptime: number,
  end: string,
  out: WriteBuffer,
): void {
  const set = (flags === 0 ? "" : ` F${flags}`) +
    (exptime === KEEP_EXPTIME || exptime === 0 ? "" : ` T${exptime}`);
  out.store("ms " + key, value, mode + set + end);
}
