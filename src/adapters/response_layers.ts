/**
 * Layers on a `node:http` response: methods of its own in place of those that it has, which the new ones call.
 * The lowest layer adds the session's headers when the head is written.
 */
import { privateCaching, type StoreOutcome, varyCookie } from "./visit.ts";

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
  /** Calls the listener when the response is closed or sent, or when writers may go on. */
  on(event: "close" | "drain" | "finish", listener: () => void): unknown;
  /** Returns the listeners of an event. */
  rawListeners(event: "drain"): unknown[];
  /** Tells writers that they may go on. */
  emit(event: "drain"): unknown;
}

/** Stores the session, and then has the Set-Cookie header to send, if there is one. */
export interface Storing {
  readonly setCookie: string | undefined;
  store(): Promise<StoreOutcome>;
}

/** The methods that send something. */
export type Method = "writeHead" | "write" | "end" | "flushHeaders";
/** One of them, whatever its arguments. */
export type Call = (...args: unknown[]) => unknown;

/** All of them. */
export const METHODS: readonly Method[] = ["writeHead", "write", "end", "flushHeaders"];

/** Gives the response own methods in place of those that it has, which it returns. */
export function patch(
  response: ServerResponseLike,
  make: (method: Method) => Call,
): Record<Method, Call> {
  const below = {} as Record<Method, Call>;
  for (const method of METHODS) {
    const before = response[method] as Call;
    below[method] = (...args) => before.apply(response, args);
    own(response, method, make(method));
  }
  return below;
}

/** What a response of node:http has besides, if it is one of HTTP/1. */
interface Http1Response {
  statusMessage?: string | undefined;
  readonly socket?: object | null;
  _implicitHeader?: () => void;
}

/** The response as one of HTTP/1; undefined: it is one of HTTP/2, which has no status text and shares its socket. */
export function asHttp1(response: ServerResponseLike): Http1Response | undefined {
  return "stream" in response ? undefined : response as Http1Response;
}

/** Gives the response a property of its own that others may replace in turn. */
export function own(
  response: ServerResponseLike,
  name: keyof ServerResponseLike | "_implicitHeader",
  value: unknown,
): void {
  Object.defineProperty(response, name, { value, configurable: true, writable: true });
}

/** Gives the response a getter of its own that gets the one that it has. */
export function ownGetter(
  response: ServerResponseLike,
  name: "headersSent" | "writableEnded",
  get: (before: () => boolean) => boolean,
): void {
  let owner: object | null = response;
  while (owner !== null && !Object.hasOwn(owner, name)) owner = Object.getPrototypeOf(owner);
  const found = owner === null ? undefined : Object.getOwnPropertyDescriptor(owner, name);
  const before = (): boolean =>
    (found?.get === undefined ? found?.value : found.get.call(response)) === true;
  Object.defineProperty(response, name, { get: () => get(before), configurable: true });
}

/** Asks whether a header may be set or removed, each time. `check` may throw; false: the call is ignored. */
export function patchHeaders(response: ServerResponseLike, check: () => boolean): void {
  const methods = response as unknown as Record<string, unknown>;
  for (const name of ["setHeader", "setHeaders", "appendHeader", "removeHeader"]) {
    const before = methods[name];
    if (typeof before !== "function") continue; // not in every version of Node
    const checked: Call = (...args) => check() ? before.apply(response, args) : response;
    Object.defineProperty(response, name, { value: checked, configurable: true, writable: true });
  }
}

/**
 * Asks before something is destroyed without an error, each time. `postpone` gets what destroys it; true: it is called
 * later. An error comes from the connection itself and is not asked about. Returns what undoes this.
 */
export function postponeDestroy(
  target: object,
  postpone: (destroy: () => void) => boolean,
): () => void {
  const { destroy } = target as { destroy?: Call };
  if (destroy === undefined) return () => {};
  const before = Object.getOwnPropertyDescriptor(target, "destroy");
  const value: Call = (...args) => {
    const now = (): unknown => destroy.apply(target, args);
    return args[0] === undefined && postpone(now) ? target : now();
  };
  Object.defineProperty(target, "destroy", { value, configurable: true, writable: true });
  return () => {
    if (before === undefined) delete (target as { destroy?: Call }).destroy;
    else Object.defineProperty(target, "destroy", before);
  };
}

/** Returns a status that node:http takes, or throws as it does. */
export function checkStatus(status: unknown): number {
  const code = Number(status) | 0;
  if (code >= 100 && code <= 999) return code;
  throw coded(
    new RangeError(`Invalid status code: ${String(status)}`),
    "ERR_HTTP_INVALID_STATUS_CODE",
  );
}

/** Throws what node:http throws for a piece of a body that is none. */
export function checkChunk(method: "write" | "end", chunk: unknown): void {
  if (typeof chunk === "string" || chunk instanceof Uint8Array) return;
  if (method === "end" && (chunk === undefined || chunk === null || typeof chunk === "function")) {
    return;
  }
  throw chunk === null
    ? coded(new TypeError("May not write null values to stream"), "ERR_STREAM_NULL_VALUES")
    : coded(
      new TypeError("A piece of a body must be a string or a Uint8Array"),
      "ERR_INVALID_ARG_TYPE",
    );
}

/** What node:http throws for headers that come too late. */
export function headersSent(): Error {
  const error = new Error("Cannot set headers after they are sent to the client");
  return coded(error, "ERR_HTTP_HEADERS_SENT");
}

function coded(error: Error, code: string): Error {
  return Object.assign(error, { code });
}

/** The sessions of a response. There are several if withNodeSession is nested. */
const sessions = new WeakMap<ServerResponseLike, Storing[]>();

/**
 * Makes the session's headers part of the response's head, whoever writes it. So the cookie cannot get lost
 * when somebody else answers, as an error page of the framework does, and removes all headers first.
 */
export function layHeaders(response: ServerResponseLike, storing: Storing): void {
  const others = sessions.get(response);
  if (others !== undefined) {
    others.push(storing);
    return;
  }
  const all = [storing];
  sessions.set(response, all);
  const below = patch(response, (method) => (...args) => {
    if (!response.headersSent) {
      if (method === "writeHead") setHeaders(response, args);
      for (const { setCookie } of all) addHeaders(response, setCookie);
    }
    return below[method](...args);
  });
}

/** Moves the headers from writeHead's arguments to the response, and returns their names. */
export function setHeaders(response: ServerResponseLike, args: unknown[]): string[] {
  while (args.length > 1 && args.at(-1) === undefined) args.pop();
  const headers = args.at(-1);
  if (args.length < 2 || typeof headers !== "object" || headers === null) return [];
  args.pop();
  const all = new Map<string, unknown>();
  for (const [name, value] of Array.isArray(headers) ? pairs(headers) : Object.entries(headers)) {
    const before = all.get(name.toLowerCase());
    const values = before === undefined ? value : [before, value].flat().map(String);
    all.set(name.toLowerCase(), values);
    response.setHeader(name, values as string); // which checks it
  }
  return [...all.keys()];
}

/** Yields the pairs of `[name, value, name, value]` or `[[name, value]]`. */
function* pairs(list: readonly unknown[]): Generator<[string, unknown]> {
  const flat = Array.isArray(list[0]) ? list.flatMap((pair) => pair as unknown[]) : list;
  if (flat.length % 2 > 0) {
    throw coded(new TypeError("A header has no value"), "ERR_INVALID_ARG_VALUE");
  }
  for (let at = 0; at < flat.length; at += 2) yield [String(flat[at]), flat[at + 1]];
}

function addHeaders(response: ServerResponseLike, setCookie: string | undefined): void {
  response.setHeader("Vary", varyCookie(textOf(response.getHeader("Vary"))));
  if (setCookie === undefined) return;
  response.setHeader("Cache-Control", privateCaching(textOf(response.getHeader("Cache-Control"))));
  const others = response.getHeader("Set-Cookie");
  const cookies = others === undefined ? [] : [others].flat().map(String);
  if (!cookies.includes(setCookie)) response.setHeader("Set-Cookie", [...cookies, setCookie]);
}

function textOf(header: unknown): string | undefined {
  return header === undefined ? undefined : [header].flat().join(", ");
}
