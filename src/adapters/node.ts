/**
 * Sessions for `node:http` and frameworks that are built on it, in Node, Deno and Bun.
 *
 * @example
 * ```ts
 * import { createServer } from "node:http";
 * import { SessionStore } from "memwire";
 * import { withNodeSession } from "memwire/node";
 *
 * const store = new SessionStore<{ visits: number }>({ servers: "localhost:11211" });
 * createServer(withNodeSession(store, (request, response, session) => {
 *   if (request.url === "/login") session.regenerate(); // a new id at each login
 *   session.update("visits", (visits = 0) => visits + 1);
 *   response.end(`visit ${session.get("visits")}\n`);
 * })).listen(3000);
 * ```
 *
 * @module
 */
import { readOptions } from "../checks/options.ts";
import { invalidType } from "../errors.ts";
import type { MemcachedError } from "../errors.ts";
import type { sessionCookie } from "../session/cookie.ts";
import type { Session } from "../session/session.ts";
import type { SessionStore } from "../session/store.ts";
import { HeldResponse } from "./held_response.ts";
import type { ServerResponseLike } from "./response_layers.ts";
import {
  checkOnUnavailable,
  checkStore,
  isUnreachable,
  resolveCookie,
  RETRY_AFTER,
  type StoreOutcome,
  UNAVAILABLE,
  Visit,
} from "./visit.ts";

export type { ServerResponseLike, StoreOutcome };

/** The parts of an `http.IncomingMessage` that memwire uses. */
export interface IncomingLike {
  /** The request's headers. */
  readonly headers: { readonly cookie?: string | undefined };
}

/**
 * The request that a handler gets if it does not declare a type of its own. This type and
 * {@linkcode NodeResponse} stand for node:http's types. They are published, so they must not need @types/node.
 */
export interface NodeRequest extends IncomingLike {
  /** The path and the query. */
  readonly url?: string | undefined;
  /** "GET", "POST"... */
  readonly method?: string | undefined;
  /** The request's headers, in lower case. */
  readonly headers: {
    readonly cookie?: string | undefined;
    readonly [name: string]: string | readonly string[] | undefined;
  };
}

/** The response that a handler gets if it does not declare a type of its own. */
export interface NodeResponse extends ServerResponseLike {
  /** Begins the response. */
  writeHead(status: number, headers?: Record<string, number | string | string[]>): unknown;
  /** Sends a piece of the body. */
  write(chunk: string | Uint8Array): boolean;
  /** Ends the response, with a last piece of the body if one is given. */
  end(chunk?: string | Uint8Array): unknown;
}

/**
 * Wraps a handler so that it gets the session of each request. The session is opened from the cookie, and
 * stored before the response begins. What the handler writes (`writeHead`, `write`, `end`, `flushHeaders`) is
 * held back until the session is stored, because the cookie is a header. Meanwhile the response looks as if it
 * were sent: `headersSent` is true, what comes after its end is ignored, and an error page that destroys it then
 * waits until it is sent. Changes of the session after the
 * first write are not stored.
 *
 * The cookie is set if the stored id is not the one that the request brought (with `maxAge`, at every store),
 * cleared after `session.destroy()`, and otherwise left alone, so that a slow request never undoes a login or
 * a logout. Every response gets `Vary: Cookie`, and one that sets the cookie gets `Cache-Control: private`. If
 * memcached cannot be reached, the visitor gets 503 with Retry-After: 1, or the answer of `onUnavailable`, and the cookie is left alone. But if the session was stored
 * under a new id before, that answer sets the cookie too, as does the framework's error page, because otherwise
 * the visitor would not know the new id.
 *
 * @param store The store of the sessions.
 * @param handler Makes the response. It can call `save` to store the session before its first write. `save`
 * resolves to what `storeSession` resolves to: "gone" means that the session was deleted meanwhile and nothing
 * was saved.
 * @param options `cookie`: the cookie's attributes. By default its name is the strictest that they allow.
 * `onUnavailable`: answers if memcached cannot be reached. Headers that the handler has set are removed first.
 * @returns A request listener. It resolves when the response has begun or was closed. It rejects with what the
 * handler throws, and with every error of the store but those that are answered with 503. If the session cannot
 * be stored, it does not wait for the handler: what the handler then writes or throws is dropped.
 *
 * @example
 * ```ts
 * import { createServer } from "node:http";
 * import { SessionStore } from "memwire";
 * import { withNodeSession } from "memwire/node";
 *
 * const store = new SessionStore<{ visits: number }>({ servers: "localhost:11211" });
 * createServer(withNodeSession(store, async (request, response, session, save) => {
 *   if (request.url === "/login") session.regenerate(); // a new id at each login
 *   session.update("visits", (visits = 0) => visits + 1);
 *   await save(); // from here on the session includes what other requests have counted
 *   response.end(`visit ${session.get("visits")}\n`);
 * })).listen(3000);
 * ```
 */
export function withNodeSession<
  F,
  Q extends IncomingLike = NodeRequest,
  S extends ServerResponseLike = NodeResponse,
>(
  store: SessionStore<F>,
  handler: (
    request: Q,
    response: S,
    session: Session<F>,
    save: () => Promise<StoreOutcome>,
  ) => void | Promise<void>,
  options?: {
    cookie?: Parameters<typeof sessionCookie>[1];
    onUnavailable?: (error: MemcachedError, request: Q, response: S) => void | Promise<void>;
  },
): (request: Q, response: S) => Promise<void> {
  checkStore(store);
  if (typeof handler !== "function") throw invalidType("withNodeSession needs a handler function");
  const given = readOptions<NonNullable<typeof options>>(options, {
    cookie: undefined,
    onUnavailable: undefined,
  });
  const cookie = resolveCookie(given.cookie);
  const { onUnavailable = unavailable } = given;
  checkOnUnavailable(onUnavailable);
  return async (request, response) => {
    let held: HeldResponse | undefined;
    try {
      const visit = await Visit.open(store, cookie, request.headers.cookie);
      const holding = held = new HeldResponse(response, visit);
      // If the session cannot be stored, a handler that waits until its output is sent never returns.
      await Promise.all([
        handler(request, response, visit.session, () => holding.store()),
        held.begun,
      ]);
    } catch (error) {
      const unanswered = held === undefined ? !response.headersSent : await held.abandon(error);
      if (!isUnreachable(error) || !unanswered) {
        held?.startAgain(error);
        throw error;
      }
      for (const name of response.getHeaderNames()) response.removeHeader(name);
      const other = held === undefined ? response : held.other(error) as S;
      await onUnavailable(error as MemcachedError, request, other);
    }
  };
}

function unavailable(
  _error: MemcachedError,
  _request: unknown,
  response: ServerResponseLike,
): void {
  response.statusCode = 503;
  response.setHeader("Retry-After", RETRY_AFTER);
  response.setHeader("Content-Type", "text/plain");
  (response.end as (text: string) => unknown)(UNAVAILABLE);
}
