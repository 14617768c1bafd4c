/** The session of a request and its cookie. This part is the same for every kind of server. */
import { checkObject, checkPlain } from "../checks/options.ts";
import { checkFunction, kindOf } from "../checks/values.ts";
import { elapsed, setTimeout } from "../connection/clock.ts";
import { invalidType, isMemcachedError } from "../errors.ts";
import { readCookie, sessionCookie } from "../session/cookie.ts";
import type { Session } from "../session/session.ts";
import type { SessionStore } from "../session/store.ts";

/** What storing the session did, in the words of `storeSession`. */
export type StoreOutcome = Awaited<ReturnType<SessionStore["storeSession"]>>;

/** The attributes of the session cookie. */
export type CookieOptions = NonNullable<Parameters<typeof sessionCookie>[1]>;

/** After how many seconds a visitor may try again if memcached could not be reached. */
export const RETRY_AFTER = "1";

/** What the visitor reads in that case. */
export const UNAVAILABLE = "Service unavailable. Try again in a moment.\n";

// How long a session that moves is tried again, and after which pauses. A server that was restarted is found
// again after 100 ms (cluster/backoff.ts).
const MOVE_MS = 1_000;
const FIRST_PAUSE_MS = 50;

/** By these an error makes Express, Fastify and NestJS answer with 503, and show nobody its message. */
export const UNAVAILABLE_STATUS = { status: 503, statusCode: 503, expose: false } as const;

const UNREACHABLE: readonly unknown[] = [
  "SERVER_DOWN",
  "TIMEOUT",
  "CONNECTION_LOST",
  "OVERLOADED",
];

/** Whether memcached could not be reached. Other libraries have a code TIMEOUT too, and their errors are not ours. */
export function isUnreachable(error: unknown): boolean {
  return isMemcachedError(error) && UNREACHABLE.includes(error.code);
}

/** Refuses what is no SessionStore. One that another copy of memwire has made is fine. */
export function checkStore(store: unknown): void {
  const { open, storeSession } = (store ?? {}) as Record<string, unknown>;
  if (typeof open === "function" && typeof storeSession === "function") return;
  throw invalidType(`store must be a SessionStore, not ${kindOf(store)}`);
}

/** Refuses an `onUnavailable` that is no function. */
export function checkOnUnavailable(answer: unknown): void {
  checkFunction(answer, `onUnavailable must be a function, not ${kindOf(answer)}`);
}

/** Checks the cookie's options, and chooses a name whose rules they keep if none is given. */
export function resolveCookie(options: CookieOptions = {}): CookieOptions & { name: string } {
  checkObject(options, "cookie");
  checkPlain(options, "cookie");
  const { secure = true, path = "/", domain } = options;
  const host = secure && path === "/" && domain === undefined;
  const { name = host ? "__Host-session" : secure ? "__Secure-session" : "session" } = options;
  const resolved = { ...options, name };
  sessionCookie("id", resolved); // throws if an option is wrong
  return resolved;
}

/** The session of one request, from the request's cookie to the response's. */
export class Visit<F> {
  readonly session: Session<F>;
  readonly #store: SessionStore<F>;
  readonly #cookie: CookieOptions;
  readonly #brought: string | undefined;
  /** The session's id before the handler ran. */
  readonly #opened: string;
  /** The Set-Cookie header to send, if there is one. */
  setCookie: string | undefined;

  private constructor(
    store: SessionStore<F>,
    cookie: CookieOptions,
    brought: string | undefined,
    session: Session<F>,
  ) {
    this.#store = store;
    this.#cookie = cookie;
    this.#brought = brought;
    this.#opened = session.id;
    this.session = session;
  }

  /** Opens the session that the Cookie header names. */
  static async open<F>(
    store: SessionStore<F>,
    cookie: CookieOptions,
    header: string | null | undefined,
  ): Promise<Visit<F>> {
    const brought = readCookie(header, cookie.name);
    return new Visit(store, cookie, brought, await store.open(brought));
  }

  /**
   * Stores the session. The cookie is set only if the session was stored under an id that the request did not
   * bring, and cleared only if this request itself logged out. So a cookie that another request of the visitor
   * has set meanwhile stays.
   */
  async store(): Promise<StoreOutcome> {
    const cookie = this.#cookie;
    const { saved, id } = await this.#save();
    if (saved === "deleted") {
      this.setCookie = this.#brought === undefined ? undefined : sessionCookie(undefined, cookie);
    } else if (saved === "stored") {
      const isNews = id !== this.#brought || cookie.maxAge !== undefined;
      if (isNews) this.setCookie = sessionCookie(id, cookie);
    } else if (saved === "gone" || !await this.#isStillRight(id)) {
      this.setCookie = undefined;
    }
    return saved;
  }

  /**
   * Stores the session, and says under which id: the handler may give it another one while this waits. If it has a
   * new id and the server cannot be reached, tries again for a while: the session may be under the new id already, of
   * which the visitor would not hear.
   */
  async #save(): Promise<{ saved: StoreOutcome; id: string }> {
    const end = elapsed() + MOVE_MS;
    for (let pause = FIRST_PAUSE_MS;; pause *= 2) {
      const { id } = this.session;
      try {
        return { saved: await this.#store.storeSession(this.session), id };
      } catch (error) {
        const moves = this.#brought !== undefined && id !== this.#opened;
        const first = pause === FIRST_PAUSE_MS; // it may have taken the whole timeout
        if (!moves || !isUnreachable(error) || (!first && elapsed() >= end)) throw error;
      }
      await new Promise<void>((resolve) => setTimeout(resolve, pause));
    }
  }

  /**
   * Whether a cookie that an earlier save has chosen may still be sent. If it only renews the one that the
   * request brought, another request may have given the visitor a new id since, or logged out.
   */
  async #isStillRight(id: string): Promise<boolean> {
    if (this.setCookie === undefined || id !== this.#brought) return true;
    return await this.#store.has(id).catch(() => false);
  }
}

/**
 * Returns the Cache-Control header of a response that sets a cookie. Without `private`, a cache that many
 * visitors share may keep the response, and hand one visitor's cookie to another: a visitor without a cookie
 * looks to it like any other, whatever Vary says. It may keep one without any Cache-Control too, if that has an
 * Expires or a Last-Modified (RFC 9111, sections 3 and 4.2.2).
 */
export function privateCaching(cacheControl: string | null | undefined): string {
  const directives = (cacheControl ?? "").split(",").map((part) => part.trim()).filter(Boolean);
  const kept = directives.filter((one) => !/^(public|private|s-maxage\b.*)$/i.test(one));
  return ["private", ...kept].join(", ");
}

/** Returns the Vary header with Cookie added to it. */
export function varyCookie(vary: string | null | undefined): string {
  if (vary === null || vary === undefined || vary === "") return "Cookie";
  const names = vary.split(",").map((name) => name.trim().toLowerCase());
  return names.includes("*") || names.includes("cookie") ? vary : `${vary}, Cookie`;
}
