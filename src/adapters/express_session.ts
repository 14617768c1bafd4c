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
  /** How long the session lives, as the request has read or stored it; undefined: it has done neither. */
  life: Lifetime | undefined;
  /** When the request has read the session, or first stored it, in ms since 1970. */
  readonly since: number;
}

/** How long a session lives. */
export interface Lifetime {
  /** Since its last request; 0: for ever. */
  readonly seconds: number;
  /** Its end, in ms since 1970, where memcached's clock cannot tell it. */
  readonly end: number | undefined;
}

/** The field with the end. */
const END = "memwire.end";
/** The parts of a cookie that say when it ends. They are stored together. */
const END_PARTS: readonly string[] = ["originalMaxAge", "expires", "originalExpires"];
/** Under this symbol a session has its view. So has its cookie, because @fastify/session copies only that. */
const VIEW = Symbol("memwire.view");

// memcached counts whole seconds, and a second may pass until it sees that one has passed.
const COARSE_SECONDS = 2;
// express-session loses a few when it sets a cookie's end: it asks the clock twice. A cookie's end has whole
// seconds, so nobody changes it by less.
const LOST_MS = 1000;
// A minute before memcached's last second.
const LAST_MS = (MAX_EXPTIME - 60) * 1000;

/** What a lifetime depends on, apart from the session. */
export interface LifetimeRules {
  readonly ttl: number | ((session: StoredSession) => number);
  readonly disableTouch: boolean;
  /**
   * Whether the framework leaves `originalMaxAge` alone when the application sets a cookie's end, as
   * @fastify/session does. express-session makes it the time that is left.
   */
  readonly hasOwnEnds: boolean;
}

/** How long the session lives from now on; undefined: it has ended. */
export function lifetimeOf(
  session: StoredSession,
  { ttl, disableTouch, hasOwnEnds }: LifetimeRules,
): Lifetime | undefined {
  const now = Date.now();
  const view = viewOf(session);
  const cookie: StoredCookie = session.cookie ?? {};
  const expires = Number(new Date(cookie.expires ?? NaN));
  let left: number;
  let isFixed = disableTouch;
  if (typeof ttl === "function") left = checkSeconds(ttl(session)) * 1000;
  else if (Number.isNaN(expires)) left = ttl * 1000;
  else if (slides(cookie) && !(hasOwnEnds && isOwnEnd(expires, cookie, view, now))) {
    // The framework may have set this end long ago, if the response was a long one. Other requests have kept
    // the session alive since, and this one does so now: as long as the cookie of the next one.
    const maxAge = maxAgeOf(cookie, view?.seen.get("cookie"));
    left = expires - now > maxAge + LOST_MS ? expires - now : maxAge;
  } else {
    left = expires - now;
    isFixed = true;
  }
  if (left <= 0) return undefined;
  // What memcached cannot count lives for ever, as it has it: 0.
  if (now + left > LAST_MS) return { seconds: 0, end: undefined };
  const seconds = Math.ceil(left / 1000);
  const isCoarse = seconds <= COARSE_SECONDS;
  if (!isFixed && !isCoarse) return { seconds, end: undefined };
  // memcached may end what has a second left in a moment.
  return { seconds: isCoarse ? seconds + 1 : seconds, end: now + left };
}

/**
 * Whether the application has set the end of a cookie that has `originalMaxAge`: it lies before any that the
 * framework can have set in this request.
 */
function isOwnEnd(
  expires: number,
  { originalMaxAge }: StoredCookie,
  view: View | undefined,
  now: number,
): boolean {
  const maxAge = Number(originalMaxAge);
  const { life, since = now } = view ?? {};
  // The end that was read or stored is whose it was. The life up to an application's end is a shorter one.
  if (life?.end === expires) return life.seconds * 1000 < maxAge;
  return expires < since + maxAge - LOST_MS;
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
  if (hasEnded(end)) return undefined;
  const { cookie } = session as StoredSession;
  if (typeof cookie === "object" && cookie !== null) showEnd(cookie, end as number | undefined);
  return session as StoredSession;
}

/** Whether each request sets the cookie's end again, to `originalMaxAge` from now. */
function slides({ originalMaxAge }: StoredCookie): boolean {
  return Number.isFinite(originalMaxAge);
}

/** A sliding cookie's `originalMaxAge`, or that of the stored one if the framework has only lost some of it. */
function maxAgeOf({ originalMaxAge }: StoredCookie, stored: unknown): number {
  const own = Number(originalMaxAge);
  const before = (stored as StoredCookie | null | undefined)?.originalMaxAge;
  const hasLost = typeof before === "number" && before > own && own > before - LOST_MS && own > 0;
  return hasLost ? before : own;
}

/** Sets the end of a sliding cookie that was read. The stored one says when the cookie was last changed. */
function showEnd(cookie: StoredCookie, end: number | undefined): void {
  if (!slides(cookie)) return;
  // Without an end of its own the session lives as long from now, because reading it has renewed it.
  cookie.expires = new Date(end ?? Date.now() + Number(cookie.originalMaxAge)).toISOString();
}

/** Copies the session for a request. `carries`: its cookie carries the view to the session that is made of it. */
export function readView(
  handle: Session,
  carries: boolean,
): { session: StoredSession; view: View } {
  const end = handle.get(END) as number | undefined;
  const life: Lifetime = { seconds: Math.ceil(handle.ttl), end };
  const view: View = { handle, seen: new Map(), life, since: Date.now() };
  const session = {} as StoredSession;
  for (const [name, value] of handle.entries()) {
    if (name === END) continue;
    view.seen.set(name, value);
    setField(session, name, copyJson(value));
  }
  const { cookie } = session;
  if (typeof cookie === "object" && cookie !== null) {
    showEnd(cookie, end);
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

/** What JSON would take of a session. */
function sourceOf(session: object): object {
  const { toJSON } = session as { toJSON?: unknown };
  return typeof toJSON === "function" ? toJSON.call(session, "") as object : session;
}

/** Brings what the request has changed into the handle, to be stored. */
export function changeSession(view: View, session: object, life: Lifetime): void {
  const { handle, seen } = view;
  const source = sourceOf(session);
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
  changeLife(view, source as StoredSession, life);
}

/**
 * Brings the cookie and the lifetime into the handle, to be stored. What the request has not changed stays as
 * it is stored, because another request may have changed it meanwhile, and the stored cookie, ttl and end must
 * fit each other.
 */
export function changeLife(view: View, { cookie }: StoredSession, life: Lifetime): void {
  const { handle, seen, life: before } = view;
  const { seconds, end } = life;
  view.life = life;
  const seenCookie = seen.get("cookie");
  const changes = cookieChanges(cookie, seenCookie);
  if (changes !== undefined) {
    seen.set("cookie", changedCookie(seenCookie, changes));
    handle.update("cookie", (stored) => changedCookie(stored, changes));
  }
  const isNewEnd = changes !== undefined && END_PARTS.some((name) => Object.hasOwn(changes, name));
  if (isNewEnd || before === undefined || !isSameLife(life, before)) {
    // Where this request has the end or the ttl that it has read, the merge would take the other's. So the end
    // is an update, and the same seconds get another number, which memcached rounds up.
    if (Math.ceil(handle.ttl) !== seconds) handle.ttl = seconds;
    else if (isNewEnd && seconds > 0) handle.ttl = handle.ttl === seconds ? seconds - 0.5 : seconds;
    handle.update(END, () => end);
  } else if (end !== before.end && Math.ceil(handle.ttl) === seconds) {
    // As long as before, but counted from now. If another request has set an end meanwhile, that one stays.
    const known = handle.get(END);
    handle.update(END, (stored) => stored === known ? end : stored);
  }
}

/** Puts what the request has changed, the cookie or all fields, into the session as another request has stored it. */
export function copyChanges(
  { seen }: View,
  session: StoredSession,
  stored: StoredSession,
  what: "cookie" | "fields",
): void {
  const source = sourceOf(session);
  const changes = cookieChanges((source as StoredSession).cookie, seen.get("cookie"));
  if (changes !== undefined) stored.cookie = changedCookie(stored.cookie, changes) as StoredCookie;
  if (what === "cookie") return;
  for (const name of seen.keys()) if (!Object.hasOwn(source, name)) delete stored[name];
  for (const [name, value] of Object.entries(source)) {
    if (name !== "cookie" && !isSameJson(value, seen.get(name))) setField(stored, name, value);
  }
}

/** Whether the session lives as long as before, or until the same end. */
function isSameLife({ seconds, end }: Lifetime, before: Lifetime): boolean {
  if (end === undefined || before.end === undefined) {
    return end === before.end && seconds === before.seconds;
  }
  return end === before.end || seconds === before.seconds;
}

/**
 * The parts of a cookie that differ from the stored one, as JSON has them, or undefined if none does. A part
 * that is no longer there is undefined.
 */
function cookieChanges(
  cookie: object | undefined,
  stored: unknown,
): Record<string, unknown> | undefined {
  const { toJSON } = (cookie ?? {}) as { toJSON?: unknown };
  const parts: unknown = typeof toJSON === "function" ? toJSON.call(cookie, "cookie") : cookie;
  if (!isCookie(parts)) return undefined;
  const before = isCookie(stored) ? stored : {};
  const hasSameEnd = isSameEnd(parts, before);
  let changes: Record<string, unknown> | undefined = before === stored ? undefined : {};
  for (const [name, value] of Object.entries(parts)) {
    const isEnd = END_PARTS.includes(name);
    if (isEnd ? hasSameEnd : isSameJson(partAsJson(value), before[name])) continue;
    setField(changes ??= {}, name, asJson(value));
  }
  for (const name of Object.keys(before)) {
    if (Object.hasOwn(parts, name) || hasSameEnd && END_PARTS.includes(name)) continue;
    setField(changes ??= {}, name, undefined);
  }
  return changes;
}

/** The cookie with the changes, as JSON has it. */
function changedCookie(stored: unknown, changes: Record<string, unknown>): unknown {
  return asJson({ ...(isCookie(stored) ? stored : {}), ...changes });
}

function isCookie(value: unknown): value is StoredCookie {
  return typeof value === "object" && value !== null;
}

function partAsJson(value: unknown): unknown {
  return value instanceof Date ? value.toJSON() : value;
}

/** Whether a cookie ends when the stored one does. Of one that slides, each request sets the end again. */
function isSameEnd(cookie: StoredCookie, stored: StoredCookie): boolean {
  if (slides(cookie)) return maxAgeOf(cookie, stored) === stored.originalMaxAge;
  return cookie.originalMaxAge === stored.originalMaxAge &&
    partAsJson(cookie.expires) === stored.expires;
}
