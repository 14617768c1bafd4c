/**
 * A `node:http` response that is held back until the session is stored.
 *
 * Other middleware patches responses as well, and calls the methods that it found. So nothing here is ever taken
 * off a response again. A call passes, from the top:
 *
 *     what the handler's middleware has patched
 *     HeldResponse        keeps calls until the session is stored, and then passes them on
 *     layHeaders          adds the session's headers when the head is written
 *     what the response had before
 */
import { soon } from "../connection/clock.ts";
import { HeldHead } from "./held_head.ts";
import {
  asHttp1,
  type Call,
  checkChunk,
  headersSent,
  layHeaders,
  type Method,
  METHODS,
  own,
  ownGetter,
  patch,
  patchHeaders,
  postponeDestroy,
  type ServerResponseLike,
  type Storing,
} from "./response_layers.ts";
import type { StoreOutcome } from "./visit.ts";

// Bun's responses have `_implicitHeader`, but call writeHead instead.
const IS_BUN = "Bun" in globalThis;

/** Holds back what the handler writes until the session is stored, which the first write starts. */
export class HeldResponse {
  /** Resolves when the response has begun or was closed. Rejects if the session cannot be stored. */
  readonly begun: Promise<void>;
  readonly #response: ServerResponseLike;
  readonly #head: HeldHead;
  readonly #storing: Storing;
  /** The methods that the response had before. */
  readonly #below: Record<Method, Call>;
  readonly #on: ServerResponseLike["on"];
  /** Calls are kept, passed on, or dropped because the visitor gets another answer. */
  #state: "holding" | "passing" | "dropping" = "holding";
  readonly #calls: (readonly [method: Method, args: unknown[]])[] = [];
  /** Resolves to why the calls were dropped, when the other answer has ended or the response was closed. */
  readonly #dropped: Promise<unknown>;
  #written = false;
  /** Its end is held too. */
  #ended = false;
  /** The other answer is calling. */
  #answering = false;
  /** Whether the response asks, by `_implicitHeader`, before it begins a head by itself. */
  readonly #beginsHeads: boolean;
  /** The response is closed. */
  #closed = false;
  /** Destroys, once the answer has been sent, what the handler or an error page wanted destroyed before. */
  readonly #destroys: (() => void)[] = [];
  /** Lets the socket be destroyed again. */
  #freeSocket = (): void => {};
  /** Who waits for "drain", but not at the response. */
  readonly #diverted: (() => void)[] = [];
  /** Every store that was started, by the first write or by the handler. */
  readonly #stores: Promise<unknown>[] = [];
  #resolve!: () => void;
  #reject!: (error: unknown) => void;
  #explain!: (error: unknown) => void;

  constructor(response: ServerResponseLike, storing: Storing) {
    this.#response = response;
    this.#storing = storing;
    this.#dropped = new Promise((resolve) => this.#explain = resolve);
    this.begun = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.begun.catch(() => undefined); // nobody awaits it if the handler throws first
    const close = (): void => {
      this.#closed = true;
      this.#resolve();
    };
    response.on("close", close);
    if ((response as { destroyed?: boolean }).destroyed) close(); // the visitor has gone already
    this.#head = new HeldHead(response);
    layHeaders(response, storing);
    this.#closeHead();
    this.#postponeDestroy(response);
    own(response, "on", this.#on = this.#watchDrain());
    this.#below = patch(response, (method) => (...args) => this.#call(method, args));
    this.#beginsHeads = asHttp1(response)?._implicitHeader !== undefined && !IS_BUN;
    if (this.#beginsHeads) own(response, "_implicitHeader", () => this.#beginHead());
  }

  /**
   * A head that node:http, or middleware in its place, begins without a writeHead of the handler's. Middleware that
   * has patched writeHead was told of it at the first write, and is not called twice for one head.
   */
  #beginHead(): void {
    if (this.#isHeld) return;
    if (this.#state === "passing" && this.#beginTold()) return;
    if (this.#answering) this.#below.writeHead(this.#response.statusCode);
    else if (this.#state !== "dropping") {
      (this.#response.writeHead as Call)(this.#response.statusCode);
    }
  }

  /** Begins the head as middleware has passed it on when it was told; false: it was not told. */
  #beginTold(): boolean {
    const told = this.#head.takeTold();
    if (told !== undefined) this.#below.writeHead(...told);
    return told !== undefined;
  }

  /**
   * Express answers an error after the end by destroying the socket. Without us the answer had been sent by then, so
   * the answer that is held goes first.
   */
  #postponeDestroy(of: object): () => void {
    return postponeDestroy(of, (destroy) => {
      if (!this.#isHeld || !this.#ended) return false;
      this.#destroys.push(destroy);
      return true;
    });
  }

  /** Notes the listeners that middleware takes for a stream of its own, as compression does. */
  #watchDrain(): ServerResponseLike["on"] {
    const response = this.#response;
    const { on } = response;
    return (event, listener) => {
      const result = on.call(response, event, listener);
      if (event === "drain" && this.#state === "holding") {
        if (!response.rawListeners(event).includes(listener)) this.#diverted.push(listener);
      }
      return result;
    };
  }

  /**
   * Makes the response look as if what is held were sent: whoever asks whether there is an answer already gets a
   * yes, and headers are refused from then on. Otherwise an error page, or a second `send`, would change the head
   * of an answer whose body is held, and the visitor would get a body of another length than the head says.
   */
  #closeHead(): void {
    const response = this.#response;
    ownGetter(response, "headersSent", (sent) => this.#isHeld || sent());
    ownGetter(response, "writableEnded", (ended) => (this.#isHeld && this.#ended) || ended());
    // After the end they are ignored: frameworks answer an error that is thrown then by closing the connection.
    patchHeaders(response, () => {
      if (this.#isHeld && !this.#ended) throw headersSent();
      return !this.#isHeld;
    });
  }

  get #isHeld(): boolean {
    return this.#state === "holding" && this.#written;
  }

  /** Stores the session. */
  async store(): Promise<StoreOutcome> {
    const stored = this.#storing.store();
    this.#stores.push(stored);
    return await stored;
  }

  /**
   * Drops the handler's answer because of this error. Resolves to whether there may be another answer, which is not
   * so once the response has begun. It waits for stores that are in flight, because one that succeeds may have moved
   * the session, and then the other answer must tell the visitor the new id.
   */
  async abandon(error: unknown): Promise<boolean> {
    if (this.#state === "passing") return false;
    this.#state = "dropping";
    this.#freeSocket();
    this.#destroys.length = 0;
    if (this.#closed) this.#explain(error);
    else this.#on("close", () => this.#explain(error));
    for (const [, args] of this.#calls.splice(0)) this.#drop(args);
    await Promise.allSettled(this.#stores);
    if (!this.#written) this.#state = "passing";
    else if (!this.#response.headersSent) this.#head.forget();
    return !this.#response.headersSent;
  }

  /** The response for another answer. What the handler still writes to its own is dropped. */
  other(error: unknown): ServerResponseLike {
    if (!this.#written) return this.#response;
    const methods: Record<string | symbol, Call> = { on: this.#on as Call };
    for (const method of METHODS) {
      methods[method] = (...args) => this.#answer(method, args, error);
    }
    const other: ServerResponseLike = new Proxy(this.#response, {
      get: (response, name) => {
        const value = methods[name] ?? Reflect.get(response, name);
        if (typeof value !== "function") return value;
        return (...args: unknown[]): unknown => {
          const self = name === "once" ? other : response; // it calls `on`
          const result: unknown = value.apply(self, args);
          return result === response ? other : result; // for `writeHead(500).end()`
        };
      },
      set: (response, name, value) => Reflect.set(response, name, value),
    });
    return other;
  }

  /** Passes on a call of another answer. */
  #answer(method: Method, args: unknown[], error: unknown): unknown {
    this.#answering = true; // node:http itself calls writeHead
    try {
      return this.#below[method](...args);
    } finally {
      this.#answering = false;
      if (method === "end") this.#explain(error);
    }
  }

  /**
   * Gives the response methods for an answer of somebody else's, such as an error page of the framework. The
   * handler's middleware cannot be part of it: its state is that of the dropped answer, which may have ended.
   * Methods that it has captured keep dropping what they get. The handler may still be writing, so what comes
   * after the other answer's end is dropped as well.
   */
  startAgain(error: unknown): void {
    if (!this.#written || this.#state !== "dropping") return;
    let ended = false;
    own(this.#response, "on", this.#on);
    patch(this.#response, (method) => (...args) => {
      if (ended) {
        this.#drop(args);
        return method === "write" ? false : this.#response;
      }
      ended = method === "end";
      return this.#answer(method, args, error);
    });
  }

  #call(method: Method, args: unknown[]): unknown {
    if (this.#state === "passing" || this.#answering) return this.#below[method](...args);
    if (this.#head.hears(args)) return this.#response;
    const first = !this.#written;
    if (!first && method === "writeHead" && this.#isImplicit(args)) return this.#response;
    if (this.#ended && this.#state === "holding") return this.#refuse(method, args);
    if (this.#state === "holding") this.#check(method, args, first);
    if (first) {
      if (method !== "writeHead") this.#head.tell();
      this.#head.keep();
    }
    this.#written = true;
    if (method === "end") this.#end();
    if (this.#state === "dropping") this.#drop(args);
    else this.#calls.push([method, args]);
    if (first && this.#state === "holding") {
      this.store().then(() => this.#begin()).catch((error: unknown) => this.#fail(error));
    }
    return method === "write" ? false : this.#response; // false makes the writer wait for "drain"
  }

  /** Throws what node:http would throw at once, and leaves the response's status and headers as writeHead would. */
  #check(method: Method, args: unknown[], first: boolean): void {
    if (method === "write" || method === "end") return checkChunk(method, args[0]);
    if (method !== "writeHead") return;
    if (!first) throw headersSent();
    this.#head.set(args);
  }

  #end(): void {
    this.#ended = true;
    const socket = asHttp1(this.#response)?.socket;
    if (this.#state === "holding" && socket) this.#freeSocket = this.#postponeDestroy(socket);
  }

  /** The session cannot be stored. If the visitor has gone, nobody waits for that, so whoever still writes is told. */
  #fail(error: unknown): void {
    this.#reject(error);
    if (this.#closed) void this.abandon(error);
  }

  /**
   * Whether these are the arguments with which middleware begins a response whose headers it has not seen sent.
   * They are held already, or come with the first write.
   */
  #isImplicit(args: readonly unknown[]): boolean {
    return args.length === 1 && args[0] === this.#response.statusCode;
  }

  /** What comes after the end of the answer: the callback, if there is one, gets an error. */
  #refuse(method: Method, args: readonly unknown[]): unknown {
    const callback = args.at(-1);
    if (typeof callback === "function") soon(() => callback(writtenAfterEnd()));
    return method === "write" ? false : this.#response;
  }

  #begin(): void {
    if (this.#state !== "holding") return;
    this.#state = "passing";
    this.#head.restore();
    if (!this.#beginsHeads) this.#beginTold();
    let wrote: unknown;
    let passed = 0;
    try {
      for (const [method, args] of this.#calls) {
        passed++;
        const result = this.#below[method](...args);
        if (method === "write") wrote = result;
      }
    } catch (error) {
      this.#state = "dropping";
      throw error;
    } finally {
      this.#calls.splice(0, passed);
    }
    this.#resolve();
    this.#freeSocket();
    for (const destroy of this.#destroys) this.#on("finish", destroy);
    if (wrote === true && !this.#ended) this.#drain();
  }

  /** Tells writers that they may go on, because what is below will not: it has taken all without a pause. */
  #drain(): void {
    const reached = this.#response.rawListeners("drain");
    this.#response.emit("drain");
    for (const listener of this.#diverted) if (!reached.includes(listener)) listener();
  }

  /** Forgets a call. Its callback, if it has one, is told why when the other answer is through. */
  #drop(args: readonly unknown[]): void {
    const callback = args.at(-1);
    if (typeof callback === "function") void this.#dropped.then((error) => callback(error));
  }
}

function writtenAfterEnd(): Error {
  return Object.assign(new Error("write after end"), { code: "ERR_STREAM_WRITE_AFTER_END" });
}
