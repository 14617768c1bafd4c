/**
 * One application server: a shop of one page whose sessions live in memcached.
 *
 *     node application.ts NAME SERVER,SERVER,...
 *
 * It keeps nothing of its own. Any number of these, anywhere, share their visitors' sessions as long
 * as they name the same memcached servers.
 *
 * A browser that posts a form is sent back to the page (303), so reloading never repeats a request.
 * Who accepts JSON instead, as the terminal's tour does, gets each answer at once.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import {
  MemcachedError,
  readCookie,
  type Session,
  sessionCookie,
  type SessionStore,
} from "../../../mod.ts";
import { readForm, sendFile } from "./http.ts";
import { shopPage } from "./shop_page.ts";

/** What a session holds. */
export interface Visit {
  user: string;
  cart: string[];
  note: string;
  since: Date;
}

/** What a visitor is told. */
export interface Answer {
  /** The application server that answered. */
  readonly from: string;
  readonly text: string;
  readonly user?: string | undefined;
  readonly cart?: readonly string[];
  readonly note?: string | undefined;
}

/** Without TLS a browser takes no __Host- cookie. In production: sessionCookie(id), nothing else. */
export const COOKIE = { name: "sid", secure: false };
/** The response header that says what became of the session, for whoever keeps a log. */
export const OUTCOME_HEADER = "session-outcome";
/** The slowest that a request can be asked to be, ms. */
const SLOWEST = 10_000;
const FILES = ["base.css", "shop.css"];

type Action = (session: Session<Visit>, form: URLSearchParams) => string | Promise<string>;

const actions: Readonly<Record<string, Action>> = {
  "GET /"(session): string {
    const user = session.get("user");
    return user === undefined ? "Who are you?" : `Welcome, ${user}.`;
  },
  "POST /login"(session, form): string {
    session.regenerate(); // a new id for a new right: a planted cookie is worth nothing
    session.set("user", form.get("user") || "somebody").set("since", new Date());
    return `Welcome, ${session.get("user")}.`;
  },
  async "POST /cart"(session, form): Promise<string> {
    const item = form.get("item") ?? "tea";
    await beSlow(form);
    session.update("cart", (cart = []) => [...cart, item]); // two requests at once both count
    return `There is ${item} in your cart.`;
  },
  async "POST /note"(session, form): Promise<string> {
    await beSlow(form);
    // If the visitor has logged in meanwhile, the cookie of a session that begins here would replace
    // the login's. So a slow request goes on with a session, and does not begin one.
    if (session.isNew) return "You have nothing yet that a note could go with.";
    session.set("note", form.get("note") ?? "");
    return "Your note is taken down.";
  },
  "POST /logout"(session): string {
    session.destroy();
    return "Good bye.";
  },
};

/** A slow request: the payment, the stock, the post. */
async function beSlow(form: URLSearchParams): Promise<void> {
  await sleep(Math.min(Number(form.get("slow")) || 0, SLOWEST));
}

/** The server; the caller lets it listen. */
export function createShop(name: string, store: SessionStore<Visit>): Server {
  return createServer((request, response) => {
    serve(name, store, request, response).catch((error) => {
      console.error(error);
      response.destroy();
    });
  });
}

async function serve(
  name: string,
  store: SessionStore<Visit>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? "/", "http://localhost");
  if (FILES.includes(pathname.slice(1))) return await sendFile(response, pathname.slice(1));
  const action = actions[`${request.method} ${pathname}`];
  const form = await readForm(request);
  const reply = (status: number, outcome: string, answer: Omit<Answer, "from">): void => {
    response.setHeader("Cache-Control", "no-store");
    response.setHeader(OUTCOME_HEADER, outcome);
    if (!request.headers.accept?.includes("text/html")) {
      response.writeHead(status, { "Content-Type": "application/json" });
      response.end(JSON.stringify({ from: name, ...answer }));
    } else if (request.method === "POST") {
      const after = outcome === "stored" || outcome === "deleted" ? "" : `?after=${outcome}`;
      response.writeHead(303, { Location: `./${after}` }).end();
    } else {
      response.writeHead(status, { "Content-Type": "text/html; charset=utf-8" });
      response.end(shopPage({ from: name, ...answer }, status, searchParams.get("after")));
    }
  };
  if (action === undefined) return reply(404, "none", { text: "There is no such page." });
  try {
    const brought = readCookie(request.headers.cookie, COOKIE.name);
    const session = await store.open(brought);
    const text = await action(session, form);
    const outcome = await store.storeSession(session);
    // Only what is stored under a new id sets the cookie, and only a logout clears it. Anything else
    // could come from a slow request, and would undo what the visitor has done in the meantime.
    if (outcome === "stored" && session.id !== brought) {
      response.setHeader("Set-Cookie", sessionCookie(session.id, COOKIE));
    } else if (outcome === "deleted") {
      response.setHeader("Set-Cookie", sessionCookie(undefined, COOKIE));
    }
    if (outcome === "gone") {
      const text = "Your session has ended or moved meanwhile: nothing was saved.";
      return reply(401, outcome, { text });
    }
    if (outcome === "deleted") return reply(200, outcome, { text });
    const [user, cart, note] = [session.get("user"), session.get("cart"), session.get("note")];
    reply(200, outcome, { text, user, cart: cart ?? [], note });
  } catch (error) {
    if (!(error instanceof MemcachedError)) throw error;
    // Not "you have no session": nobody knows that now. The cookie stays, the visitor can try again.
    response.setHeader("Retry-After", "1");
    const text = `Your session cannot be reached right now (${error.code}).`;
    reply(503, error.code, { text });
  }
}
