/**
 * A session of express-session, and the one of ours that it is kept in: each of its top-level properties is a
 * field, as JSON would have it.
 */
import { invalidRange, invalidType } from "../errors.ts";
import { MAX_EXPTIME } from "../protocol/exptime.ts";
import { setField } from "../session/merge.ts";
import type { Session } from "../session/session.ts";
import { asJson, copyJson, isSameJson } from "./json_fields.ts";

/** A session as express-session's stores have it. */
export interface StoredSession {
  /** The cookie's parts, among them `expires` and, in milliseconds, `originalMaxAge`. */
  cookie: StoredCookie;
  /** What the application has put there. */
  [name: string]: unknown;
}

/** A cookie as express-session's stores have it. */
export interface StoredCookie {
  /** How long it lives, in milliseconds; null: as long as the browser runs. */
  originalMaxAge?: number | null | undefined;
  /** When it ends; in what was read it is text. */
  expires?: Date | string | number | null | undefined;
  /** Its other parts: path, secure and so on. */
  [name: string]: unknown;
}

/** What a request knows of a session that it has read or stored. */
export interface View {
  readonly handle: Session;
  /** The fields as the request has read or stored them; nobody changes them in place. */
  readonly seen: Map<string, unknown>;
}

/** How long a session lives. */
export interface Lifetime {
  /** Since its last request; 0: for ever. */
  readonly seconds: number;
  /** Its end, in ms since 1970, where memcached's clock cannot tell it. */
  readonly end: number | undefined;
}

/** The parts of a cookie that each request sets again. */
const ENDS: readonly string[] = ["expires", "originalExpires"];
/** The field with the end. */
const END = "memwire.end";
/** Under this symbol a session has its view. So has its cookie, because @fastify/session copies only that. */
const VIEW = Symbol("memwire.view");

// memcached counts whole seconds, and a second may pass until it sees that one has passed.
const COARSE_SECONDS = 2;
// Of a cookie's life, as SessionStore has it: with this much left it was renewed by this request.
const RECENT = 15 / 16;
// A minute before memcached's last second.
const LAST_MS = (MAX_EXPTIME - 60) * 1000;

/** How long the session lives from now on; undefined: it has ended. */
export function lifetimeOf(
  session: StoredSession,
  ttl: number | ((session: StoredSession) => number),
  isFixed: boolean,
): Lifetime | undefined {
  const now = Date.now();
  const { expires, originalMaxAge } = (session.cookie ?? {}) as StoredCookie;
  let seconds: number;
  let end = NaN;
  let isRenewed = true;
  if (typeof ttl === "function") seconds = checkSeconds(ttl(session));
  else {
    end = expires === undefined || expires === null ? NaN : Number(new Date(expires));
    const left = end - now;
    if (Number.isNaN(left)) seconds = ttl;
    else {
      const whole = typeof originalMaxAge === "number" ? originalMaxAge : NaN;
      // A request may save long after its cookie was made; the session lives as long as the next one's cookie.
      seconds = Math.ceil((left <= whole && left >= whole * RECENT ? whole : left) / 1000);
      isRenewed = !Number.isNaN(whole); // else nobody sets another end with each request
    }
  }
  if (seconds <= 0) return undefined;
  // What memcached cannot count lives for ever, as it has it: 0.
  if (now + seconds * 1000 > LAST_MS) return { seconds: 0, end: undefined };
  const isCoarse = seconds <= COARSE_SECONDS;
  if (!isFixed && isRenewed && !isCoarse) return { seconds, end: undefined };
  // memcached may end what has a second left in a moment.
  return {
    seconds: isCoarse ? seconds + 1 : seconds,
    end: Number.isNaN(end) ? now + seconds * 1000 : end,
  };
}

function checkSeconds(seconds: unknown): number {
  if (typeof seconds !== "number") throw invalidType("ttl must return a number of seconds");
  if (Number.isNaN(seconds)) throw invalidRange("ttl must return a number of seconds, not NaN");
  return seconds;
}

/** Whether a session has ended that memcached still has. */
export function isOver(handle: Session): boolean {
  return hasEnded(handle.get(END));
}

function hasEnded(end: unknown): boolean {
  return typeof end === "number" && end <= Date.now();
}

/** The session to show of what is stored; undefined: it has ended. */
export function shownFields(fields: Record<string, unknown>): StoredSession | undefined {
  const { [END]: end, ...session } = fields;
  return hasEnded(end) ? undefined : session as StoredSession;
}

/** Copies the session for a request. `carries`: its cookie carries the view to the session that is made of it. */
export function readView(
  handle: Session,
  carries: boolean,
): { session: StoredSession; view: View } {
  const view: View = { handle, seen: new Map() };
  const session = {} as StoredSession;
  for (const [name, value] of handle.entries()) {
    if (name === END) continue;
    view.seen.set(name, value);
    setField(session, name, copyJson(value));
  }
  const { cookie } = session;
  if (typeof cookie === "object" && cookie !== null) {
    // Reading it has renewed it.
    const { originalMaxAge } = cookie;
    if (typeof originalMaxAge === "number" && handle.get(END) === undefined) {
      cookie.expires = new Date(Date.now() + originalMaxAge).toISOString();
    }
    if (carries) (cookie as { [VIEW]?: View })[VIEW] = view;
  }
  return { session, view };
}

/** Notes what a request knows of its session. Not in a WeakMap, which takes a third of the time by its GC. */
export function setView(session: object, view: View): void {
  if (!Object.isExtensible(session)) return;
  Object.defineProperty(session, VIEW, { value: view, writable: true, configurable: true });
}

/** What was noted; of @fastify/session's it stands in its cookie's options. */
export function viewOf(session: object): View | undefined {
  const { [VIEW]: view } = session as { [VIEW]?: View };
  if (view !== undefined) return view;
  for (const symbol of Object.getOwnPropertySymbols(session)) {
    const options = (session as Record<symbol, { [VIEW]?: View } | null | undefined>)[symbol];
    if (options?.[VIEW] !== undefined) return options[VIEW];
  }
  return undefined;
}

/** Brings what the request has changed into the handle, to be stored. */
export function changeSession({ handle, seen }: View, session: object, life: Lifetime): void {
  const { toJSON } = session as { toJSON?: unknown };
  const source = typeof toJSON === "function" ? toJSON.call(session, "") as object : session;
  for (const name of seen.keys()) {
    if (Object.hasOwn(source, name)) continue;
    seen.delete(name);
    handle.delete(name);
  }
  for (const [name, value] of Object.entries(source)) {
    if (name === "cookie" || name === END || isSameJson(value, seen.get(name))) continue;
    const json = asJson(value);
    if (json === undefined) { // a function, for example
      if (seen.delete(name)) handle.delete(name);
      continue;
    }
    seen.set(name, json);
    handle.set(name, json);
  }
  changeLife({ handle, seen }, source as StoredSession, life);
}

/** Brings the cookie and the lifetime into the handle, to be stored if they are others. */
export function changeLife(
  { handle, seen }: View,
  { cookie }: StoredSession,
  { seconds, end }: Lifetime,
): void {
  if (handle.ttl !== seconds) handle.ttl = seconds;
  if (handle.get(END) !== end) {
    if (end === undefined) handle.delete(END);
    else handle.set(END, end);
  }
  const hasEnd = cookie?.expires !== undefined && cookie.expires !== null;
  if (!(hasEnd && handle.isDirty()) && isSameCookie(cookie, seen.get("cookie"))) return;
  const json = asJson(cookie);
  if (json === undefined) return;
  seen.set("cookie", json);
  handle.set("cookie", json);
}

/** Whether a cookie is the same as the stored one, apart from when it ends. */
function isSameCookie(cookie: object | undefined, stored: unknown): boolean {
  const { toJSON } = (cookie ?? {}) as { toJSON?: unknown };
  const parts: unknown = typeof toJSON === "function" ? toJSON.call(cookie, "cookie") : cookie;
  if (typeof parts !== "object" || parts === null || typeof stored !== "object" || !stored) {
    return parts === stored;
  }
  let others = Object.keys(stored).filter((name) => !ENDS.includes(name)).length;
  for (const [name, value] of Object.entries(parts)) {
    if (value === undefined || ENDS.includes(name)) continue;
    if (!isSameJson(value, (stored as Record<string, unknown>)[name])) return false;
    others--;
  }
  return others === 0;
}
