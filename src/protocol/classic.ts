/**
 * The classic dialect: `get`, `set`, `touch`... (memcached's doc/protocol.txt). Every server and proxy
 * speaks it. Only `VALUE` names a key; any other reply is matched to its command by its place in the
 * queue.
 */
import { acceptCas, encodeCas } from "./cas_line.ts";
import { parseClassicLine } from "./classic_reply.ts";
import { type Command, KEEP_EXPTIME, type Operation } from "./command.ts";
import { type Dialect, Verdict, type VerdictName } from "./dialect.ts";
import { PAST_EXPTIME } from "./exptime.ts";
import { keepsStep, Kind, type Reply } from "./reply.ts";
import { byteLength, isKey } from "./text.ts";
import type { Buffer } from "node:buffer";
import type { WriteBuffer } from "./write_buffer.ts";

// A `get` line may be long, but an error on it costs all of its keys. ElastiCache Serverless accepts
// lines of 16 KB.
const MAX_LINE_KEYS = 100;
const MAX_LINE_BYTES = 16_000;

// How far the replies of `get` and `gets` with `touch` have come, in Command.answered.
const NOTHING_YET = 0;
const VALUE_SEEN = 1;
const END_SEEN = 2;
// `refresh`: `touch` has been answered.
const TOUCH_SEEN = 3;

/**
 * Which error lines in the reply to a get are still followed by END. "never": the error stands in its
 * place (memcached itself, twemproxy, mcrouter). "several": on lines of several keys, where an error
 * stands in place of one key's VALUE (memcached's own proxy). "always": on lines of one key too.
 */
export type EndAfterError = "never" | "several" | "always";

/**
 * Whether this may be an error line inside the reply to a get. Such a line alone does not tell where the
 * reply ends.
 */
export function mayGoOn(command: Command, reply: Reply): boolean {
  return reply.kind === Kind.error && keysOnLine(command) > 0 && keepsStep(reply.text);
}

/** The classic dialect on one connection. */
export class ClassicDialect implements Dialect {
  readonly name = "classic";
  readonly #endAfterError: EndAfterError;
  /** The first error line of the reply that is being read, until its END comes. */
  #refusal = "";
  /** Error lines and values of that reply. */
  #parts = 0;

  constructor(endAfterError: EndAfterError = "never") {
    this.#endAfterError = endAfterError;
  }

  /** Whether an error line has come and its END has not. */
  get awaitsEnd(): boolean {
    return this.#refusal !== "";
  }

  // The server answers a line only when it has all of it, so it waits for long lines: with 100 in flight,
  // lines of 100 keys gave 0.4 of the throughput and lines of 10 gave 0.83.
  readonly lineKeys = 10;

  encode(command: Command, out: WriteBuffer): void {
    const { operation, key } = command;
    command.answered = NOTHING_YET;
    switch (operation) {
      case "get":
      case "has":
        return out.text(`get ${key}\r\n`);
      case "gets":
      case "gat":
        return out.text(
          `${operation === "gets" ? "gets" : "get"} ${key}\r\n` +
            // Never `gat`: a proxy may forward the version of a new server and still not know the
            // command.
            (command.exptime === KEEP_EXPTIME ? "" : `touch ${key} ${command.exptime}\r\n`),
        );
      case "lease":
        return out.text(`gets ${key}\r\n`);
      case "getMany":
        return encodeGetMany("get", command, out);
      case "getsMany":
        return encodeGetMany("gets", command, out);
      case "setMany":
      case "deleteMany":
        return encodeMany(command, out);
      case "set":
      case "add":
      case "replace":
      case "append":
      case "prepend":
        return out.store(
          `${operation} ${key} ${command.flags} ${command.exptime}`,
          command.value,
          "\r\n",
        );
      case "cas":
        return encodeCas(command, out);
      case "invalidate":
        return out.text(`delete ${key}\r\n`);
      case "delete":
        return command.cas === ""
          ? out.text(`delete ${key}\r\n`)
          : out.store(`cas ${key} 0 ${PAST_EXPTIME}`, "", ` ${command.cas}\r\n`);
      case "touch":
        return out.text(`touch ${key} ${command.exptime}\r\n`);
      case "refresh":
        return out.text(`touch ${key} ${command.exptime}\r\ngets ${key}\r\n`);
      case "increment":
        return out.text(`incr ${key} ${command.delta}\r\n`);
      case "decrement":
        return out.text(`decr ${key} ${command.delta}\r\n`);
      case "version":
        return out.text("version\r\n");
      case "token":
      case "rearm":
      case "restoreTtl":
        throw new TypeError("only the meta dialect has operations on leases");
      default:
        operation satisfies never;
    }
  }

  parse(bytes: Buffer, at: number, end: number, reply: Reply): number {
    return parseClassicLine(bytes, at, end, reply);
  }

  accept(command: Command, reply: Reply): VerdictName {
    if (this.#endAfterError !== "never") {
      const keys = keysOnLine(command);
      if (keys > (this.#endAfterError === "always" ? 0 : 1)) {
        if (reply.kind === Kind.miss) this.#tellRefusal(reply);
        else if (++this.#parts > keys) return Verdict.wrong;
        else if (mayGoOn(command, reply)) {
          if (this.#refusal === "") this.#refusal = reply.text;
          reply.kind = Kind.nothing;
          return Verdict.more;
        }
      }
    }
    const { operation } = command;
    switch (operation) {
      case "get":
      case "has":
      case "gets":
      case "gat":
      case "lease":
        return acceptGet(command, reply);
      case "getMany":
      case "getsMany":
        return acceptGetMany(command, reply);
      case "setMany":
      case "deleteMany":
        return acceptMany(command, operation, reply);
      case "refresh":
        return acceptRefresh(command, reply);
      case "cas":
        return acceptCas(reply);
      default:
        return acceptOne(command, operation, reply);
    }
  }

  /**
   * Makes END stand for the error line before it: a key without a value was refused, it is not absent.
   */
  #tellRefusal(reply: Reply): void {
    this.#parts = 0;
    if (this.#refusal === "") return;
    reply.kind = Kind.error;
    reply.text = this.#refusal;
    this.#refusal = "";
  }
}

/** How many keys are on the line whose reply is being read; 0: it is not a line of a get. */
function keysOnLine(command: Command): number {
  switch (command.operation) {
    case "get":
    case "has":
    case "lease":
      return 1;
    case "gets":
    case "gat":
      return command.answered === END_SEEN ? 0 : 1; // then comes the answer to `touch`
    case "refresh":
      return command.answered === NOTHING_YET ? 0 : 1; // first comes the answer to `touch`
    case "getMany":
    case "getsMany":
      return command.lineEnd - command.answered;
    default:
      return 0;
  }
}

function encodeGetMany(word: "get" | "gets", command: Command, out: WriteBuffer): void {
  const keys = command.keys!;
  command.lineEnd = lineEnd(keys, 0);
  for (let from = 0; from < keys.length;) {
    const to = lineEnd(keys, from);
    let line: string = word;
    for (let i = from; i < to; i++) line += ` ${keys[i]}`;
    out.text(`${line}\r\n`);
    from = to;
  }
}

/** Writes a line for each key, since `set` and `delete` name one. */
function encodeMany({ keys, items, exptime }: Command, out: WriteBuffer): void {
  keys!.forEach((key, i) => {
    const item = items?.[i];
    if (item === undefined) out.text(`delete ${key}\r\n`);
    else out.store(`set ${key} ${item.flags} ${exptime}`, item.value, "\r\n");
  });
}

/** The end of the line that begins with the key at `from`: a position in `keys`. */
function lineEnd(keys: readonly string[], from: number): number {
  const most = Math.min(keys.length, from + MAX_LINE_KEYS);
  let bytes = 0;
  let to = from;
  while (to < most) {
    bytes += byteLength(keys[to]!) + 1;
    if (bytes > MAX_LINE_BYTES && to > from) break;
    to++;
  }
  return to;
}

/** `get` and `gets`: one VALUE at most, END, then the answer to `touch` if one was sent along. */
function acceptGet(command: Command, reply: Reply): VerdictName {
  const touches = command.exptime !== KEEP_EXPTIME;
  if (command.answered === END_SEEN) {
    if (reply.kind === Kind.touched) reply.kind = Kind.done;
    else if (reply.kind !== Kind.notFound && reply.kind !== Kind.error) return Verdict.wrong;
    return Verdict.last;
  }
  if (reply.kind === Kind.value) {
    if (command.answered !== NOTHING_YET) return Verdict.wrong;
    if (!isKey(reply.bytes, reply.keyFrom, reply.keyTo, command.key)) return Verdict.wrong;
    command.answered = VALUE_SEEN;
    return Verdict.more;
  }
  if (reply.kind === Kind.miss) {
    if (command.answered === VALUE_SEEN) reply.kind = Kind.nothing;
  } else if (reply.kind !== Kind.error) return Verdict.wrong;
  command.answered = END_SEEN;
  return touches ? Verdict.more : Verdict.last;
}

/** The answer to `touch`, then that to `gets`. */
function acceptRefresh(command: Command, reply: Reply): VerdictName {
  const { answered } = command;
  if (answered === NOTHING_YET) {
    if ((reply.kind & (Kind.touched | Kind.notFound | Kind.error)) === 0) return Verdict.wrong;
    if (reply.kind !== Kind.error) reply.kind = Kind.nothing;
    command.answered = TOUCH_SEEN;
    return Verdict.more;
  }
  if (reply.kind === Kind.value) {
    if (answered === VALUE_SEEN) return Verdict.wrong;
    if (!isKey(reply.bytes, reply.keyFrom, reply.keyTo, command.key)) return Verdict.wrong;
    command.answered = VALUE_SEEN;
    return Verdict.more;
  }
  if (reply.kind === Kind.miss) {
    if (answered === VALUE_SEEN) reply.kind = Kind.nothing;
  } else if (reply.kind !== Kind.error) return Verdict.wrong;
  return Verdict.last;
}

/** Lines of several keys: each is answered by some VALUEs and an END, or an error in place of END. */
function acceptGetMany(command: Command, reply: Reply): VerdictName {
  const keys = command.keys!;
  const from = command.answered;
  if (reply.kind === Kind.value) {
    const index = findKey(keys, from, command.lineEnd, reply);
    if (index < 0) return Verdict.wrong;
    reply.index = index;
    return Verdict.more;
  }
  if (reply.kind !== Kind.miss && reply.kind !== Kind.error) return Verdict.wrong;
  reply.index = from;
  reply.upTo = command.answered = command.lineEnd;
  // END: with tokens, whoever asked for a key without a value is told so.
  if (reply.kind === Kind.miss && command.operation === "getMany") reply.kind = Kind.nothing;
  command.lineEnd = lineEnd(keys, command.answered);
  return command.answered === keys.length ? Verdict.last : Verdict.more;
}

/**
 * Finds the key that a VALUE names. The search begins behind the key found last, since servers keep the
 * order. Proxies may not.
 */
function findKey(keys: readonly string[], from: number, to: number, reply: Reply): number {
  const hint = reply.index + 1 > from && reply.index + 1 < to ? reply.index + 1 : from;
  for (let i = hint; i < to; i++) {
    if (isKey(reply.bytes, reply.keyFrom, reply.keyTo, keys[i]!)) return i;
  }
  for (let i = from; i < hint; i++) {
    if (isKey(reply.bytes, reply.keyFrom, reply.keyTo, keys[i]!)) return i;
  }
  return -1;
}

/**
 * Operations that are answered by one line for each key. The others have a function of their own above.
 */
type OneLine = Exclude<
  Operation,
  "get" | "has" | "gets" | "gat" | "lease" | "getMany" | "getsMany" | "refresh" | "cas"
>;

/** The legal replies to each of them. */
const REPLIES: Readonly<Record<OneLine, number>> = {
  set: Kind.stored | Kind.error,
  add: Kind.stored | Kind.notStored | Kind.error,
  replace: Kind.stored | Kind.notStored | Kind.error,
  append: Kind.stored | Kind.notStored | Kind.error,
  prepend: Kind.stored | Kind.notStored | Kind.error,
  setMany: Kind.stored | Kind.error,
  delete: Kind.deleted | Kind.notFound | Kind.error,
  deleteMany: Kind.deleted | Kind.notFound | Kind.error,
  invalidate: Kind.deleted | Kind.notFound | Kind.error,
  touch: Kind.touched | Kind.notFound | Kind.error,
  increment: Kind.number | Kind.notFound | Kind.error,
  decrement: Kind.number | Kind.notFound | Kind.error,
  version: Kind.version | Kind.error,
  // Only meta has these, so no reply to them is legal.
  token: 0,
  rearm: 0,
  restoreTtl: 0,
};

/** One line for each key, in the order of the keys. */
function acceptMany(command: Command, operation: OneLine, reply: Reply): VerdictName {
  const verdict = acceptOne(command, operation, reply);
  if (verdict === Verdict.wrong) return verdict;
  reply.index = command.answered;
  reply.upTo = ++command.answered;
  return command.answered === command.keys?.length ? Verdict.last : Verdict.more;
}

/** Commands that are answered by one line. */
function acceptOne(command: Command, operation: OneLine, reply: Reply): VerdictName {
  if (operation === "delete" && command.cas !== "") return acceptCas(reply);
  if ((reply.kind & REPLIES[operation]) === 0) return Verdict.wrong;
  if ((reply.kind & (Kind.stored | Kind.deleted | Kind.touched)) !== 0) reply.kind = Kind.done;
  else if (reply.kind === Kind.number) reply.kind = Kind.value;
  return Verdict.last;
}
