/**
 * A command on its way: its promise, its deadline, and the function that makes its result of the reply.
 */
import { ServerError, ValueTooLargeError } from "../errors.ts";
import {
  type Command,
  KEEP_EXPTIME,
  type Operation,
  type StoredItem,
} from "../protocol/command.ts";
import type { DialectName } from "../protocol/dialect.ts";
import { Kind, type Reply } from "../protocol/reply.ts";
import { isStub } from "../protocol/stub.ts";
import { UNCOPIED_BYTES } from "../protocol/write_buffer.ts";

/** Makes a command's result of a reply. What it throws rejects the call. */
export type Finish<T> = (reply: Reply, request: Request<T>) => T;

/** Is called when a request has settled; `error` is undefined if it succeeded. */
type Settled = (error: unknown) => void;

/**
 * The connection that a request goes over, as its caller sees it. The same server process answers all
 * requests of one connection.
 */
export interface ConnectionRef {
  readonly dialect: DialectName;
}

/**
 * Decides what a request's promise settles with, in place of its result or error. Neither method throws.
 */
export interface Continuation {
  settled(result: unknown): unknown;
  refused(error: unknown): unknown;
}

// Operations that may be sent again when their reply is lost: a second run changes nothing.
const IDEMPOTENT: ReadonlySet<Operation> = new Set<Operation>([
  "get",
  "gets",
  "gat",
  "has",
  "getMany",
  "getsMany",
  "touch",
  "refresh",
  "delete",
  "deleteMany",
  "invalidate",
  "version",
]);

// With a new exptime `gets` is a write too.
const READ_ONLY: ReadonlySet<Operation> = new Set<Operation>([
  "get",
  "gets",
  "has",
  "getMany",
  "getsMany",
]);

// A promise runs its executor at once, so one executor for all promises can leave the two functions here.
// That is cheaper by 15 to 25 % than a closure for each promise. Promises of all types share it: hence
// `never`.
let givenResolve: (value: never) => void;
let givenReject: (reason: unknown) => void;
const executor = (
  resolve: (value: never) => void,
  reject: (reason: unknown) => void,
): void => {
  givenResolve = resolve;
  givenReject = reject;
};

// Roughly what a command takes besides its key and value: its words and numbers.
const COMMAND_BYTES = 40;

/** Bytes of a command, roughly: text counts as ASCII. */
export function bytesOf(key: string, value: Uint8Array | string): number {
  return COMMAND_BYTES + key.length +
    (typeof value === "string" ? value.length : value.byteLength);
}

/** A value that stays as it is after the call: {@link Request.value} has the rule. */
export function keptValue(value: Uint8Array | string): Uint8Array | string {
  return typeof value !== "string" && value.byteLength < UNCOPIED_BYTES
    ? new Uint8Array(value)
    : value;
}

/**
 * One command and the promise of its result. Its fields are grouped by who writes them, and when.
 */
export class Request<T> implements Command {
  // The constructor, once.
  readonly operation: Operation;
  readonly key: string;
  /** Settles by {@link settle} or {@link refuse}, once. */
  readonly promise: Promise<T>;
  /** Milliseconds from the call to its deadline. */
  readonly timeout: number;

  // Whoever makes the request, before it is sent. Pending empties `value` and `items` when their batch
  // leaves.
  keys: readonly string[] | null = null;
  items: readonly StoredItem[] | null = null;
  /**
   * A value of UNCOPIED_BYTES or more belongs to the request: the codecs see to that, since the socket keeps it
   * as it is. A smaller one may change as soon as the call has returned, because it belongs to the caller or to
   * the codec's buffer. So whoever keeps a request, to encode it later, calls {@link keepValue} first: Pending,
   * the window of fetchMany, the trace, and the wait for a first list of servers.
   */
  value: Uint8Array | string = "";
  flags = 0;
  exptime: number = KEEP_EXPTIME;
  cas = "";
  delta = "";
  vivify = 0;
  recache = 0;
  /** It has one key, but is one of many of a call, so it waits for room. */
  patient = false;
  /** A `gets` whose caller writes over a stub by its token, as `update` does. */
  replacesStub = false;
  /** It may only be sent over its `connection`: see {@link bind}. */
  bound = false;
  /** What its promise settles with, if not with its result or error. */
  continuation: Continuation | null = null;

  // Pending, when a connection takes it.
  /**
   * When the call fails, on the sweep's clock; 0: not set yet. Pending sets it when its batch leaves,
   * unless the call has, as one for many keys does.
   */
  deadline = 0;
  /** How many bytes and requests it counts for against the connection's bounds. */
  size = 0;
  weight = 1;

  // The connection, on the way.
  /**
   * The connection that it was handed to last. Once it is answered: the one that answered it, or was
   * overtaken.
   */
  connection: ConnectionRef | null = null;
  /** The gets that it stands for, if it is a line of them: see get_line.ts. */
  members: readonly Request<unknown>[] | null = null;
  /** Outgoing: where its value is in its batch, if that is bytes and they were copied. */
  valueStart = 0;
  valueEnd = 0;
  /** Pending: when its batch left, on the sweep's clock; 0: it has not left. Since then a server may have acted on it. */
  leftAt = 0;
  /** Incoming: a reply of it has come. Classic `getMany` has one for each key that is found. */
  begun = false;
  /** ending.ts: part of a reply had come when the connection ended, so nothing of it is asked again. */
  cut = false;
  /** ending.ts, and a call for many keys that asks again: sent a second time already. */
  retried = false;
  /** The bypass: asked for over another connection too. */
  overtaken = false;

  // The dialect, from the writing to the last reply.
  opaque = 0;
  answered = 0;
  lineEnd = 0;

  // The request itself, at a reply and at its end.
  /** What `finish` made of the replies so far; a call for many keys sets what it begins with. */
  result: T | undefined = undefined;
  settled = false;
  // Both take T, but their types do not name it, so that a Request<T> is a Request<unknown>.
  readonly #finish: (reply: Reply, request: never) => unknown;
  readonly #resolve: (value: never) => void;
  readonly #reject: (reason: unknown) => void;
  #onSettled: Settled | null = null;

  constructor(operation: Operation, key: string, finish: Finish<T>, timeout: number) {
    this.operation = operation;
    this.key = key;
    this.#finish = finish;
    this.timeout = timeout;
    this.promise = new Promise<never>(executor as never) as Promise<T>;
    this.#resolve = givenResolve;
    this.#reject = givenReject;
  }

  /** Whether the value that comes with its reply is used. */
  get readsValue(): boolean {
    return this.operation !== "has" && this.operation !== "refresh";
  }

  /** Whether a stub is no miss for it. The gets on a line decide that for themselves. */
  get takesStubs(): boolean {
    return this.operation === "lease" || this.members !== null;
  }

  /** Whether nobody waits for it any more. */
  get abandoned(): boolean {
    return this.members === null ? this.settled : this.members.every((member) => member.settled);
  }

  /** Whether it may be sent again after its connection was lost. */
  get idempotent(): boolean {
    return IDEMPOTENT.has(this.operation) && this.cas === "";
  }

  /** Whether it changes nothing at all, so that it may run twice at once. */
  get readsOnly(): boolean {
    return READ_ONLY.has(this.operation) && this.exptime === KEEP_EXPTIME;
  }

  /** Whether the server may have done it although it failed. */
  get ambiguous(): boolean {
    return this.leftAt > 0 && !this.idempotent;
  }

  /**
   * The same command for another connection. The answer there settles this request too. A failure of that
   * connection does not.
   */
  again(): Request<void> {
    const take = (reply: Reply): void => this.take(reply);
    const copy = new Request<void>(this.operation, this.key, take, this.timeout);
    copy.keys = this.keys;
    copy.replacesStub = this.replacesStub;
    copy.deadline = this.deadline;
    copy.onSettled((error) => {
      if (error === undefined) this.settle();
      else if (error instanceof ServerError || error instanceof ValueTooLargeError) {
        this.refuse(error);
      }
    });
    // Nobody waits for it any more.
    this.onSettled(() => copy.refuse(undefined));
    copy.promise.catch(() => undefined);
    return copy;
  }

  /** Whether it waits for room where another request would be refused: see Pending. */
  get waitsForRoom(): boolean {
    return this.keys !== null || this.patient;
  }

  /** Counts the bytes and requests for the connection's bounds. */
  measure(): void {
    const { keys } = this;
    if (keys === null) {
      this.size = bytesOf(this.key, this.value);
      return;
    }
    this.weight = keys.length;
    let size = 0;
    for (let i = 0; i < keys.length; i++) {
      size += bytesOf(keys[i]!, this.items?.[i]?.value ?? "");
    }
    this.size = size;
  }

  /**
   * Ties it to the connection over which another request was answered. A server that has restarted counts its
   * tokens from 1 again, so a token that an old process gave may by now be another item's.
   */
  bind(connection: ConnectionRef | null): void {
    this.connection = connection;
    this.bound = true;
  }

  /** Notes the connection that will send it; false: it is tied to another one. */
  handTo(connection: ConnectionRef): boolean {
    if (this.bound && this.connection !== connection) return false;
    this.connection = connection;
    return true;
  }

  /** Makes the value its own: the rule stands at {@link value}. */
  keepValue(): void {
    this.value = keptValue(this.value);
  }

  /** Takes one reply, or ignores it if nobody waits for it any more. */
  take(reply: Reply): void {
    if (this.settled) return;
    if (isStub(reply) && !this.takesStubs) reply.kind = Kind.miss;
    try {
      this.result = this.#finish(reply, this as never) as T;
    } catch (error) {
      this.refuse(error);
    }
  }

  /** All replies are in: resolves to the result. */
  settle(): void {
    if (this.settled) return;
    this.settled = true;
    if (this.members !== null) { for (const member of this.members) member.settle(); }
    if (this.#onSettled !== null) this.#end(undefined);
    const { continuation, result } = this;
    this.#resolve((continuation === null ? result : continuation.settled(result)) as never);
  }

  /** Rejects. */
  refuse(error: unknown): void {
    if (this.settled) return;
    this.settled = true;
    this.value = "";
    this.items = null;
    if (this.#onSettled !== null) this.#end(error);
    if (this.continuation !== null) this.#resolve(this.continuation.refused(error) as never);
    else this.#reject(error);
  }

  /** Calls `settled` when the request settles. */
  onSettled(settled: Settled): void {
    const before = this.#onSettled;
    this.#onSettled = before === null ? settled : (error): void => {
      before(error);
      settled(error);
    };
  }

  #end(error: unknown): void {
    const settled = this.#onSettled!;
    this.#onSettled = null;
    settled(error);
  }
}
