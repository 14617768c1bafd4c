/**
 * Sessions for handlers that take a `Request` and return a `Response`: `Deno.serve`, `Bun.serve`, Hono,
 * Next.js, workers.
 *
 * @example
 * ```ts
 * import { SessionStore } from "memwire";
 * import { withSession } from "memwire/web";
 *
 * const store = new SessionStore<{ visits: number }>({ servers: "localhost:11211" });
 * const handler = withSession(store, (_request, session) => {
 *   session.update("visits", (visits = 0) => visits + 1);
 *   return new Response(`visit ${session.get("visits")}\n`);
 * });
 * console.log(await (await handler(new Request("http://localhost/"))).text()); // visit 1
 * await store.close();
 * ```
 *
 * @module
 */
import { readOptions } from "../checks/options.ts";
import type { MemcachedError } from "../errors.ts";
import { invalidType } from "../errors.ts";
import type { sessionCookie } from "../session/cookie.ts";
import type { Session } from "../session/session.ts";
import type { SessionStore } from "../session/store.ts";
import {
  checkOnUnavailable,
  checkStore,
  isUnreachable,
  privateCaching,
  resolveCookie,
  RETRY_AFTER,
  UNAVAILABLE,
  varyCookie,
  Visit,
} from "./visit.ts";

/** Options of {@linkcode withSession}. */
export interface WithSessionOptions {
  /**
   * The cookie's attributes. By default its name is the strictest that they allow: "__Host-session", with
   * another path or a domain "__Secure-session", with `secure: false` "session".
   */
  cookie?: Parameters<typeof sessionCookie>[1];
  /**
   * Makes the response if memcached cannot be reached (SERVER_DOWN, TIMEOUT, CONNECTION_LOST, OVERLOADED).
   * Default: 503 with Retry-After: 1. In either case the cookie is left alone.
   */
  onUnavailable?:
    | ((error: MemcachedError, request: Request) => Response | Promise<Response>)
    | undefined;
}

/**
 * Wraps a handler so that it gets the session of each request. The session is opened from the cookie, and
 * stored when the handler has returned; then the cookie is set. Changes that a streaming body makes later are
 * not stored.
 *
 * The cookie is set if the stored id is not the one that the request brought (with `maxAge`, at every store),
 * cleared after `session.destroy()`, and otherwise left alone, so that a slow request never undoes a login or
 * a logout. Every response gets `Vary: Cookie`, and one that sets the cookie gets `Cache-Control: private`.
 *
 * @param store The store of the sessions.
 * @param handler Makes the response. If it throws, or returns what cannot be copied (nothing, or a body that was
 * read already), nothing is stored.
 * @param options The cookie's attributes, and the answer if memcached cannot be reached.
 * @returns A request handler. It rejects with what the wrapped handler throws, and with every error of the
 * store but those that `onUnavailable` answers.
 *
 * @example
 * ```ts
 * import { SessionStore } from "memwire";
 * import { withSession } from "memwire/web";
 *
 * const store = new SessionStore<{ user: string }>({ servers: "localhost:11211" });
 * const login = withSession(store, (_request, session) => {
 *   session.regenerate(); // a new id at each login
 *   session.set("user", "ada");
 *   return new Response("welcome\n");
 * });
 * const response = await login(new Request("http://localhost/login", { method: "POST" }));
 * console.log(response.headers.get("set-cookie")?.startsWith("__Host-session=")); // true
 * await store.close();
 * ```
 */
export function withSession<F>(
  store: SessionStore<F>,
  handler: (request: Request, session: Session<F>) => Response | Promise<Response>,
  options?: WithSessionOptions,
): (request: Request) => Promise<Response> {
  checkStore(store);
  if (typeof handler !== "function") throw invalidType("withSession needs a handler function");
  const given = readOptions<WithSessionOptions>(options, {
    cookie: undefined,
    onUnavailable: undefined,
  });
  const cookie = resolveCookie(given.cookie);
  const { onUnavailable = unavailable } = given;
  checkOnUnavailable(onUnavailable);
  return async (request) => {
    try {
      const visit = await Visit.open(store, cookie, request.headers.get("cookie"));
      // The copy comes first. If it cannot be made, nothing is stored: a session that has moved to a new id
      // would be lost with the answer that tells the visitor.
      const response = copyOf(await handler(request, visit.session));
      try {
        await visit.store();
      } catch (error) {
        response.body?.cancel().catch(() => undefined); // nobody will read it
        throw error;
      }
      const { setCookie } = visit;
      if (setCookie !== undefined && response.status >= 200) addCookie(response.headers, setCookie);
      return response;
    } catch (error) {
      if (!isUnreachable(error)) throw error;
      return await onUnavailable(error as MemcachedError, request);
    }
  };
}

function unavailable(): Response {
  return new Response(UNAVAILABLE, { status: 503, headers: { "retry-after": RETRY_AFTER } });
}

/** Copies the response and adds Vary. The handler may return one response to several visitors. */
function copyOf(response: Response): Response {
  const { body, status, statusText } = response;
  // A response that takes over the connection (101) cannot be copied, and nobody caches it.
  if (status > 0 && status < 200) return response;
  const headers = new Headers(response.headers);
  headers.set("vary", varyCookie(headers.get("vary")));
  return new Response(body, { status, statusText, headers });
}

function addCookie(headers: Headers, setCookie: string): void {
  headers.append("set-cookie", setCookie);
  headers.set("cache-control", privateCaching(headers.get("cache-control")));
}
