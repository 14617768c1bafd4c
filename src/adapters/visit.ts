/** A request's session and its cookie, the same for every kind of server. */
import { readCookie, sessionCookie } from "../session/cookie.ts";
import type { Session } from "../session/session.ts";
import type { SessionStore } from "../session/store.ts";

/** What became of the session, as `storeSession` says it. */
export type StoreOutcome = Awaited<ReturnType<SessionStore["storeSession"]>>;

/** The parts of the session cookie. */
export type CookieOptions = NonNullable<Parameters<typeof sessionCookie>[1]>;

/** Seconds after which a visitor may come again if memcached could not be reached. */
export const RETRY_AFTER = "1";

/** What a visitor gets to read then. */
export const UNAVAILABLE = "Service unavailable. Try again in a moment.\n";

const UNREACHABLE: readonly unknown[] = [
  "SERVER_DOWN",
  "TIMEOUT",
  "CONNECTION_LOST",
  "OVERLOADED",
];

/** Whether an error says that memcached could not be reached: told by its code, whoever's copy of memwire made it. */
export function isUnreachable(error: unknown): boolean {
  return error instanceof Error && UNREACHABLE.includes((error as { code?: unknown }).code);
}

/** The cookie's options, checked, with a name whose rules they keep. */
export function resolveCookie(options: CookieOptions = {}): CookieOptions & { name: string } {
  const { secure = true, path = "/", domain } = options;
  const host = secure && path === "/" && domain === undefined;
  const { name = host ? "__Host-session" : secure ? "__Secure-session" : "session" } = options;
  const resolved = { ...options, name };
  sessionCookie("id", resolved); // throws for what is wrong
  return resolved;
}

/** The session of one request, from its cookie to the response's. */
export class Visit<F> {
  readonly session: Session<F>;
  readonly #store: SessionStore<F>;
  readonly #cookie: CookieOptions;
  readonly #brought: string | undefined;
  /** The Set-Cookie header that is due, if one is. */
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
   * Stores the session. The cookie is set only for an id that is stored and that the request did not bring,
   * and cleared only by this request's own logout: whatever another request of the visitor has done
   * meanwhile, its cookie stays.
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

/** A Vary header with Cookie in it. */
export function varyCookie(vary: string | null | undefined): string {
  if (vary === null || vary === undefined || vary === "") return "Cookie";
  const names = vary.split(",").map((name) => name.trim().toLowerCase());
  return names.includes("*") || names.includes("cookie") ? vary : `${vary}, Cookie`;
}
