/**
 * A visitor: a browser's cookie, and the answers that it gets.
 */
import type { Answer } from "./shop.ts";
import type { Application } from "./start_application.ts";

/** An answer with its status code. */
export type Told = Answer & { readonly status: number };

/** A visitor with a cookie, whom a load balancer sends to either application. */
export class Visitor {
  readonly name: string;
  /** The session's id, which only the browser and the applications know. */
  cookie: string | undefined;

  constructor(name: string) {
    this.name = name;
  }

  /** Looks at the shop's page. */
  look(at: Application): Promise<Told> {
    return this.#ask(at, "GET", "/");
  }

  login(at: Application): Promise<Told> {
    return this.#ask(at, "POST", "/login", { user: this.name });
  }

  /** Puts something into the cart. `slow` ms pass between reading the session and saving it. */
  put(at: Application, item: string, slow = 0): Promise<Told> {
    return this.#ask(at, "POST", "/cart", { item, slow: String(slow) });
  }

  /** Leaves a note for the shop, with the same delay. */
  write(at: Application, note: string, slow = 0): Promise<Told> {
    return this.#ask(at, "POST", "/note", { note, slow: String(slow) });
  }

  logout(at: Application): Promise<Told> {
    return this.#ask(at, "POST", "/logout");
  }

  async #ask(
    at: Application,
    method: string,
    path: string,
    form?: Record<string, string>,
  ): Promise<Told> {
    const headers: Record<string, string> = { accept: "application/json" };
    if (this.cookie !== undefined) headers["cookie"] = `sid=${this.cookie}`;
    const body = form === undefined ? null : new URLSearchParams(form);
    const response = await fetch(at.url + path, { method, headers, body });
    const set = response.headers.get("set-cookie");
    if (set !== null) this.cookie = /^sid=([^;]+)/.exec(set)?.[1];
    return { status: response.status, ...await response.json() as Answer };
  }
}
