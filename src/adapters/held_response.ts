/** A `node:http` response that is held back until the session is stored. */
import { varyCookie } from "./visit.ts";

/** The parts of an `http.ServerResponse` that memwire uses. */
export interface ServerResponseLike {
  /** The status to send. */
  statusCode: number;
  /** Whether the headers were sent. */
  readonly headersSent: boolean;
  /** Sets a header. */
  setHeader(name: string, value: string | readonly string[]): unknown;
  /** Returns a header that was set. */
  getHeader(name: string): unknown;
  /** Returns the names of the headers that were set. */
  getHeaderNames(): string[];
  /** Removes a header. */
  removeHeader(name: string): void;
  /** Begins the response. */
  writeHead(...args: never[]): unknown;
  /** Sends a piece of the body. */
  write(...args: never[]): boolean;
  /** Ends the response. */
  end(...args: never[]): unknown;
  /** Sends the headers. */
  flushHeaders(): void;
  /** Calls the listener once, when the response is closed. */
  once(event: "close", listener: () => void): unknown;
  /** Tells writers that they may go on. */
  emit(event: "drain"): unknown;
}

/** Stores the session, and then has the Set-Cookie header to send, if there is one. */
export interface Storing {
  readonly setCookie: string | undefined;
  store(): Promise<unknown>;
}

type Method = "writeHead" | "write" | "end" | "flushHeaders";
type Call = (...args: unknown[]) => unknown;

const METHODS: readonly Method[] = ["writeHead", "write", "end", "flushHeaders"];

/** Holds back what the handler writes until the session is stored, which the first write starts. */
export class HeldResponse {
  /** Resolves when the response has begun or was closed. Rejects if the session cannot be stored. */
  readonly begun: Promise<void>;
  readonly #response: ServerResponseLike;
  readonly #storing: Storing;
  readonly #calls: (readonly [method: Method, args: unknown[]])[] = [];
  #resolve!: () => void;
  #reject!: (error: unknown) => void;

  constructor(response: ServerResponseLike, storing: Storing) {
    this.#response = response;
    this.#storing = storing;
    this.begun = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.begun.catch(() => undefined); // nobody awaits it if the handler throws first
    response.once("close", this.#resolve);
    for (const method of METHODS) {
      const hold: Call = (...args) => this.#hold(method, args);
      Object.defineProperty(response, method, { value: hold, configurable: true, writable: true });
    }
  }

  /** Gives the response its own methods back, and drops what was held. */
  release(): void {
    this.#calls.length = 0;
    for (const method of METHODS) delete (this.#response as Partial<ServerResponseLike>)[method];
  }

  #hold(method: Method, args: unknown[]): unknown {
    this.#calls.push([method, args]);
    if (this.#calls.length === 1) {
      this.#storing.store().then(() => this.#begin()).catch(this.#reject);
    }
    return method === "write" ? false : this.#response; // false makes the writer wait for "drain"
  }

  #begin(): void {
    const response = this.#response;
    const { setCookie } = this.#storing;
    const calls = [...this.#calls];
    this.release();
    let wrote: unknown;
    for (const [method, args] of calls) {
      if (method === "writeHead") setHeaders(response, args);
      if (!response.headersSent) addHeaders(response, setCookie);
      const result = (response[method] as Call).apply(response, args);
      if (method === "write") wrote = result;
    }
    this.#resolve();
    if (wrote === true) response.emit("drain");
  }
}

/** Moves the headers from writeHead's arguments to the response, so that they cannot replace ours. */
function setHeaders(response: ServerResponseLike, args: unknown[]): void {
  const headers = args.at(-1);
  if (args.length < 2 || typeof headers !== "object" || headers === null) return;
  args.pop();
  const all = new Map<string, string[]>();
  for (const [name, value] of Array.isArray(headers) ? pairs(headers) : Object.entries(headers)) {
    const before = all.get(name.toLowerCase());
    const values = [value].flat().map(String);
    if (before === undefined) all.set(name.toLowerCase(), values);
    else before.push(...values);
    response.setHeader(name, listed(all.get(name.toLowerCase()) as string[]));
  }
}

/** Yields the pairs of `[name, value, name, value]` or `[[name, value]]`. */
function* pairs(list: readonly unknown[]): Generator<[string, unknown]> {
  const flat = Array.isArray(list[0]) ? list.flatMap((pair) => pair as unknown[]) : list;
  for (let at = 0; at + 1 < flat.length; at += 2) yield [String(flat[at]), flat[at + 1]];
}

function addHeaders(response: ServerResponseLike, setCookie: string | undefined): void {
  const vary = response.getHeader("Vary");
  response.setHeader("Vary", varyCookie(vary === undefined ? undefined : [vary].flat().join(", ")));
  if (setCookie === undefined) return;
  const others = response.getHeader("Set-Cookie");
  const cookies = others === undefined ? [] : [others].flat().map(String);
  if (!cookies.includes(setCookie)) response.setHeader("Set-Cookie", [...cookies, setCookie]);
}

function listed(values: string[]): string | string[] {
  return values.length === 1 ? values[0]! : values;
}
