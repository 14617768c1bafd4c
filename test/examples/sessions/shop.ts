/**
 * One application server: a shop of one page whose sessions live in memcached.
 *
 *     node application.ts NAME SERVER,SERVER,...
 *
 * It keeps no state itself. Any number of these servers, anywhere, share their visitors' sessions if they name the
 * same memcached servers.
 *
 * A browser that posts a form is sent back to the page (303), so reloading never repeats a request.
 * A client that accepts JSON, such as the walk in the terminal, gets each answer at once.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { Session, SessionStore } from "../../../mod.ts";
import { withNodeSession } from "../../../src/adapters/node.ts";
import { readForm, sendFile } from "./http.ts";
import { shopPage } from "./shop_page.ts";

/** What a session holds. */
export interface Visit {
  user: string;
  cart: string[];
  note: string;
  since: Date;
}

/** The answer to a visitor. */
export interface Answer {
  /** The application server that answered. */
  readonly from: string;
  readonly text: string;
  readonly user?: string | undefined;
  readonly cart?: readonly string[];
  readonly note?: string | undefined;
}

/** Without TLS a browser accepts no __Host- cookie. In production use sessionCookie(id) and nothing else. */
export const COOKIE = { name: "sid", secure: false };
/** The response header that says what storing the session did, for the page's log. */
export const OUTCOME_HEADER = "session-outcome";
/** The longest delay that a request can ask for, in ms. */
const SLOWEST = 10_000;
const FILES = ["base.css", "shop.css"];

type Action = (session: Session<Visit>, form: URLSearchParams) => string | Promise<string>;

const actions: Readonly<Record<string, Action>> = {
  "GET /"(session): string {
    const user = session.get("user");
    return user === undefined ? "Who are you?" : `Welcome, ${user}.`;
  },
  "POST /login"(session, form): string {
    session.regenerate(); // a new id at each login, so that a planted cookie is worth nothing
    session.set("user", form.get("user") || "somebody").set("since", new Date());
    return `Welcome, ${session.get("user")}.`;
  },
  async "POST /cart"(session, form): Promise<string> {
    const item = form.get("item") ?? "tea";
    await beSlow(form);
    session.update("cart", (cart = []) => [...cart, item]); // if two requests come at once, both items stay
    return `There is ${item} in your cart.`;
  },
  async "POST /note"(session, form): Promise<string> {
    await beSlow(form);
    // If the visitor has logged in meanwhile, the cookie of a session that begins here would replace that of the
    // login. So a slow request may continue a session, but does not begin one.
    if (session.isNew) return "You have nothing yet that a note could go with.";
    session.set("note", form.get("note") ?? "");
    return "Your note is taken down.";
  },
  "POST /logout"(session): string {
    session.destroy();
    return "Good bye.";
  },
};

/** A slow request waits for something else: the payment, the stock, the post. */
async function beSlow(form: URLSearchParams): Promise<void> {
  await sleep(Math.min(Number(form.get("slow")) || 0, SLOWEST));
}

/** Makes the server. The caller makes it listen. */
export function createShop(name: string, store: SessionStore<Visit>): Server {
  const visit = withNodeSession<Visit, IncomingMessage, ServerResponse>(
    store,
    async (request, response, session, save) => {
      const text = await (actionOf(request) as Action)(session, await readForm(request));
      const outcome = await save();
      if (outcome === "gone") {
        const text = "Your session has ended or moved meanwhile: nothing was saved.";
        return reply(request, response, 401, outcome, { from: name, text });
      }
      if (outcome === "deleted") {
        return reply(request, response, 200, outcome, { from: name, text });
      }
      const [user, cart, note] = [session.get("user"), session.get("cart"), session.get("note")];
      reply(request, response, 200, outcome, { from: name, text, user, cart: cart ?? [], note });
    },
    {
      cookie: COOKIE,
      // Not "you have no session": nobody knows that now. The cookie stays, the visitor can try again.
      onUnavailable: ({ code }, request, response) => {
        response.setHeader("Retry-After", "1");
        const text = `Your session cannot be reached right now (${code}).`;
        reply(request, response, 503, code, { from: name, text });
      },
    },
  );

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const file = pathOf(request).slice(1);
    if (FILES.includes(file)) return await sendFile(response, file);
    if (actionOf(request) !== undefined) return await visit(request, response);
    reply(request, response, 404, "none", { from: name, text: "There is no such page." });
  }

  return createServer((request, response) => {
    serve(request, response).catch((error) => {
      console.error(error);
      response.destroy();
    });
  });
}

function pathOf(request: IncomingMessage): string {
  return new URL(request.url ?? "/", "http://localhost").pathname;
}

function actionOf(request: IncomingMessage): Action | undefined {
  return actions[`${request.method} ${pathOf(request)}`];
}

/** Answers with a page, with a redirect to the page after a posted form, or with JSON. */
function reply(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  outcome: string,
  answer: Answer,
): void {
  response.setHeader("Cache-Control", "no-store");
  response.setHeader(OUTCOME_HEADER, outcome);
  if (!request.headers.accept?.includes("text/html")) {
    response.writeHead(status, { "Content-Type": "application/json" });
    response.end(JSON.stringify(answer));
  } else if (request.method === "POST") {
    const after = outcome === "stored" || outcome === "deleted" ? "" : `?after=${outcome}`;
    response.writeHead(303, { Location: `./${after}` }).end();
  } else {
    const after = new URL(request.url ?? "/", "http://localhost").searchParams.get("after");
    response.writeHead(status, { "Content-Type": "text/html; charset=utf-8" });
    response.end(shopPage(answer, status, after));
  }
}
