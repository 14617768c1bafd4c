/**
 * One application server: a shop of one page whose sessions live in memcached.
 *
 *     node application.ts NAME SERVER,SERVER,...
 *
 * It keeps nothing of its own. Any number of these, anywhere, share their visitors' sessions as long
 * as they name the same memcached servers.
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
import { page } from "./page.ts";

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

// Without TLS a browser takes no __Host- cookie. In production: sessionCookie(id), nothing else.
const COOKIE = { name: "sid", secure: false };

type Action = (session: Session<Visit>, form: URLSearchParams) => string | Promise<string>;

const actions: Readonly<Record<string, Action>> = {
  "GET /"(session): string {
    const user = session.get("user");
    return user === undefined ? "Who are you?" : `Welcome, ${user}.`;
  },
  "POST /login"(session, form): string {
    session.regenerate(); // a new id for a new right: a planted cookie is worth nothing
    session.set("user", form.get("user") ?? "somebody").set("since", new Date());
    return `Welcome, ${session.get("user")}.`;
  },
  async "POST /cart"(session, form): Promise<string> {
    const item = form.get("item") ?? "tea";
    await sleep(Number(form.get("slow") ?? 0)); // a slow request: the payment, the stock, the post
    session.set("cart", [...session.get("cart") ?? [], item]);
    return `There is ${item} in your cart.`;
  },
  async "POST /note"(session, form): Promise<string> {
    await sleep(Number(form.get("slow") ?? 0));
    session.set("note", form.get("note") ?? "");
    return "Your note is taken down.";
  },
  "POST /logout"(session): string {
    session.destroy();
    return "Good bye.";
  },
};

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
  const { pathname } = new URL(request.url ?? "/", "http://localhost");
  const action = actions[`${request.method} ${pathname}`];
  const form = new URLSearchParams(await readBody(request));
  const reply = (status: number, answer: Omit<Answer, "from">): void =>
    send(request, response, status, { from: name, ...answer });
  if (action === undefined) return reply(404, { text: "There is no such page." });
  try {
    const session = await store.open(readCookie(request.headers.cookie, COOKIE.name));
    const text = await action(session, form);
    const outcome = await store.storeSession(session);
    if (outcome === "gone" || outcome === "deleted") {
      response.setHeader("Set-Cookie", sessionCookie(undefined, COOKIE));
    } else if (outcome === "stored") {
      response.setHeader("Set-Cookie", sessionCookie(session.id, COOKIE));
    }
    if (outcome === "gone") {
      return reply(401, { text: "You have logged out meanwhile: nothing was saved." });
    }
    if (outcome === "deleted") return reply(200, { text });
    const [user, cart, note] = [session.get("user"), session.get("cart"), session.get("note")];
    reply(200, { text, user, cart: cart ?? [], note });
  } catch (error) {
    if (!(error instanceof MemcachedError)) throw error;
    // Not "you have no session": nobody knows that now. The cookie stays, the visitor can try again.
    response.setHeader("Retry-After", "1");
    reply(503, { text: `Your session cannot be reached right now (${error.code}). Try again.` });
  }
}

function send(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  answer: Answer,
): void {
  const html = request.headers.accept?.includes("text/html") ?? false;
  response.statusCode = status;
  response.setHeader("Cache-Control", "no-store");
  response.setHeader("Content-Type", html ? "text/html; charset=utf-8" : "application/json");
  response.end(html ? page(answer) : JSON.stringify(answer));
}

async function readBody(request: IncomingMessage): Promise<string> {
  let body = "";
  for await (const chunk of request.setEncoding("utf8")) {
    body += chunk;
    if (body.length > 10_000) throw new Error("a form is smaller than this");
  }
  return body;
}
