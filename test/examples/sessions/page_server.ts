/**
 * Serves the page of `npm start -- --serve`: both applications, the memcached servers, and the log.
 *
 *     GET  /                     public/page.html, with page.css, base.css and page.js beside it
 *     GET  /state                the servers, what they hold, and where the visitor's session is
 *     GET  /events               the log, as server-sent events
 *     POST /servers/A/stop       or /start; answers 303, back to the page
 *     *    /one/...  /two/...    passed on to the applications
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { readCookie } from "../../../mod.ts";
import { forward } from "./gateway.ts";
import { Holdings } from "./holdings.ts";
import { sendFile } from "./http.ts";
import { Journal } from "./journal.ts";
import { type NamedServer, runtimeName } from "./servers.ts";
import { COOKIE } from "./shop.ts";
import type { Application } from "./start_application.ts";
import { tellExchange } from "./telling.ts";

const FILES = ["base.css", "page.css", "page.js"];
/** After how many ms the log mentions a request that is still under way. */
const LONG = 400;
/** How many ms pass between looks at the servers, to notice what happens to them without this page. */
const LOOK = 2_000;
const POLICY = "default-src 'none'; style-src 'self'; script-src 'self'; img-src data:; " +
  "connect-src 'self'; frame-src 'self'; form-action 'self'; frame-ancestors 'self'; base-uri 'none'";

/** Serves the page on 127.0.0.1. Port 0 means a free one. Rejects if it cannot listen. */
export async function servePage(
  servers: readonly NamedServer[],
  applications: readonly Application[],
  { port, words }: { readonly port: number; readonly words: string },
): Promise<PageServer> {
  const page = new PageServer(servers, applications, words);
  await page.listen(port);
  return page;
}

/** A page that is being served. */
export class PageServer {
  readonly #servers: readonly NamedServer[];
  readonly #applications: readonly Application[];
  readonly #words: string;
  readonly #http: Server;
  readonly #journal = new Journal();
  readonly #holdings: Holdings;
  /** The visitors whose last answer from an application was an error. */
  readonly #troubled = new Set<string>();
  /** The work on each server, one thing after the other. */
  readonly #work = new Map<NamedServer, Promise<void>>();
  #seen = "";
  #looking: ReturnType<typeof setInterval> | undefined;

  /** Use servePage. */
  constructor(
    servers: readonly NamedServer[],
    applications: readonly Application[],
    words: string,
  ) {
    this.#servers = servers;
    this.#applications = applications;
    this.#words = words;
    this.#holdings = new Holdings(servers);
    this.#http = createServer((request, response) => {
      this.#serve(request, response).catch((error) => {
        console.error(error);
        if (response.headersSent) response.destroy();
        else response.writeHead(500).end("This did not work.\n");
      });
    });
  }

  /** "http://127.0.0.1:port". */
  get url(): string {
    return `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}`;
  }

  async listen(port: number): Promise<void> {
    this.#http.listen(port, "127.0.0.1");
    await once(this.#http, "listening"); // rejects with the error of "error"
    this.#looking = setInterval(() => void this.#look(), LOOK);
  }

  async stop(): Promise<void> {
    clearInterval(this.#looking);
    this.#journal.end();
    this.#http.close();
    this.#http.closeAllConnections();
    await Promise.all(this.#work.values());
    await this.#holdings.close();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, search } = new URL(request.url ?? "/", "http://localhost");
    const [, first = "", second = "", third = ""] = pathname.split("/");
    response.setHeader("Content-Security-Policy", POLICY);
    if (isForeign(request)) return refuse(response, 403, "That form is another site's.");

    const application = this.#applications.find(({ name }) => name === first);
    if (application !== undefined) {
      const path = pathname.slice(first.length + 1);
      if (path === "") return redirect(response, `/${first}/`);
      return await this.#forward(application, path + search, request, response);
    }
    switch (`${request.method} /${first}`) {
      case "GET /":
        return await sendFile(response, "page.html");
      case "GET /state":
        return await this.#sendState(request, response);
      case "GET /events":
        return this.#journal.follow(response);
      case "POST /servers": {
        const server = this.#servers.find(({ name }) => name === second);
        if (server === undefined || (third !== "stop" && third !== "start")) break;
        await this.#switch(server, third);
        return redirect(response, "/");
      }
    }
    if (request.method === "GET" && FILES.includes(first)) return await sendFile(response, first);
    refuse(response, 404, "There is no such page.");
  }

  async #sendState(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const place = this.#holdings.placeOf(readCookie(request.headers.cookie, COOKIE.name));
    const holdings = await this.#holdings.read();
    const held = holdings.some(({ sessions }) => sessions.some(({ hash }) => hash === place?.hash));
    const state = {
      servers: holdings.map((holding) => Holdings.shorten(holding, place)),
      you: place === undefined ? null : { ...place, held },
      applications: this.#applications.map(({ name, url }) => ({ name, url })),
      about: { servers: this.#words, runtime: runtimeName() },
    };
    response.writeHead(200, { "Content-Type": "application/json", "Cache-Control": "no-store" });
    response.end(JSON.stringify(state));
  }

  async #forward(
    application: Application,
    path: string,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const { name } = application;
    const brought = this.#holdings.placeOf(readCookie(request.headers.cookie, COOKIE.name));
    const isPost = request.method === "POST";
    const timer = setTimeout(() => {
      this.#journal.log(name, "plain", `${request.method} ${path} is under way.`);
    }, LONG);
    let exchange;
    try {
      exchange = await forward(application, path, request, response);
    } catch {
      return refuse(response, 502, `Application ${name} does not answer.`);
    } finally {
      clearTimeout(timer);
    }
    const { outcome } = exchange;
    const { tone, text } = tellExchange(exchange, brought, this.#holdings.placeOf(exchange.cookie));
    // The log mentions each post. It mentions a mere look only if that begins or ceases to fail.
    const visitor = `${name} ${brought?.hash}`;
    const failed = exchange.status === 503;
    if (isPost || (failed && !this.#troubled.has(visitor))) {
      this.#journal.log(name, tone, text);
    } else if (!failed && outcome !== "none" && this.#troubled.has(visitor)) {
      this.#journal.log(name, "good", `${exchange.method} ${exchange.path}: answers again.`);
    }
    if (failed) this.#troubled.add(visitor);
    else if (outcome !== "none") this.#troubled.delete(visitor);
    if (this.#troubled.size > 1_000) this.#troubled.clear();
    if (isPost) this.#journal.change(name);
  }

  /** Stops or starts a server, after earlier work on it is done. */
  #switch(server: NamedServer, action: "stop" | "start"): Promise<void> {
    const work = (this.#work.get(server) ?? Promise.resolve()).then(async () => {
      if (server.runs === (action === "start")) return;
      const tell = (tone: "good" | "bad", text: string): void =>
        this.#journal.log(server.name, tone, text);
      try {
        await (action === "stop" ? server.stop() : server.startAgain());
        if (action === "stop") tell("bad", "Stopped. What it held is lost.");
        else tell("good", "Started again, empty.");
      } catch (error) {
        tell("bad", `Could not ${action}: ${(error as Error).message}`);
      }
      this.#journal.change();
    });
    this.#work.set(server, work);
    return work;
  }

  /** Notices what has happened without this page: a killed server, or a session that has ended. */
  async #look(): Promise<void> {
    if (!this.#journal.isRead) return;
    const now = JSON.stringify(await this.#holdings.read());
    if (now !== this.#seen) this.#journal.change();
    this.#seen = now;
  }
}

/** Whether a page of another site has sent this form. Browsers say where a form comes from. */
function isForeign({ method, headers: { origin, host } }: IncomingMessage): boolean {
  return method !== "GET" && origin !== undefined && origin !== `http://${host}`;
}

function redirect(response: ServerResponse, to: string): void {
  response.writeHead(303, { Location: to }).end();
}

function refuse(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { "Content-Type": "text/plain; charset=utf-8" }).end(`${text}\n`);
}
