/** The session of a request and its cookie. This part is the same for every kind of server. */
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

/** By these an error makes Express, Fastify and NestJS answer with 503, and show nobody its message. */
export const UNAVAILABLE_STATUS = { status: 503, statusCode: 503, expose: false } as const;

const UNREACHABLE: readonly unknown[] = [
  "SERVER_DOWN",
  "TIMEOUT",
  "CONNECTION_LOST",
  "OVERLOADED",
];

/** Whether memcached could not be reached. The code decides: another copy of memwire may have made the error. */
export function isUnreachable(error: unknown): boolean {
  return error instanceof Error && UNREACHABLE.includes((error as { code?: unknown }).code);
}

/** Checks the cookie's options, and chooses a name whose rules they keep if none is given. */
export function resolveCookie(options: CookieOptions = {}): CookieOptions & { name: string } {
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
    const { id } = this.session;
    const saved = await this.#store.storeSession(this.session);
    if (saved === "deleted") {
      this.setCookie = this.#brought === undefined ? undefined : sessionCookie(undefined, cookie);
    } else if (saved === "stored" && (id !== this.#brought || cookie.maxAge !== undefined)) {
      this.setCookie = sessionCookie(id, cookie);
    }
    return saved;
  }
}

/** Returns the Vary header with Cookie added to it. */
export function varyCookie(vary: string | null | undefined): string {
  if (vary === null || vary === undefined || vary === "") return "Cookie";
  const names = vary.split(",").map((name) => name.trim().toLowerCase());
  return names.includes("*") || names.includes("cookie") ? vary : `${vary}, Cookie`;
}
