/** A visitor with a browser's cookie jar, and the application that adapters' tests visit. */
import type { Session } from "../../mod.ts";

/** The result of a visit. */
export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
  readonly setCookie: readonly string[];
}

/** Sends a request to the application. */
export type Send = (request: Request) => Promise<Response>;

/** A visitor who keeps one cookie, as the last response has left it. */
export class Visitor {
  readonly #send: Send;
  readonly #origin: string;
  cookie = "";

  constructor(origin: string, send: Send = fetch) {
    this.#origin = origin;
    this.#send = send;
  }

  /** Opens another tab of the same visitor, with the present cookie. */
  async visit(path: string, cookie: string = this.cookie): Promise<Answer> {
    const headers: Record<string, string> = cookie === "" ? {} : { cookie };
    const response = await this.#send(new Request(`${this.#origin}${path}`, { headers }));
    const text = await response.text();
    const setCookie = response.headers.getSetCookie();
    for (const one of setCookie) {
      const [pair = ""] = one.split(";");
      if (/^[^=]*session=/.test(pair)) this.cookie = /Max-Age=0/.test(one) ? "" : pair;
    }
    return { status: response.status, text, headers: response.headers, setCookie };
  }
}

/** The shop's fields. */
export interface Shop {
  user?: string;
  cart?: string[];
  note?: string;
}

/** An application whose slow requests wait until they are released. */
export class Application {
  #release: () => void = () => {};
  #released: Promise<void> = Promise.resolve();
  #arrived: (() => void)[] = [];

  /** Makes slow requests wait from now on. */
  hold(): void {
    this.#released = new Promise((resolve) => this.#release = resolve);
  }

  /** Lets the waiting requests go on. */
  release(): void {
    this.#release();
  }

  /** Resolves when so many slow requests wait. */
  arrivals(count: number): Promise<void> {
    return new Promise((resolve) => {
      const seen: (() => void)[] = [];
      for (let n = 0; n < count; n++) {
        this.#arrived.push(() => seen.push(() => {}) === count && resolve());
      }
    });
  }

  /** Answers a path. */
  async answer(path: string, session: Session<Shop>): Promise<string> {
    if (path.startsWith("/slow")) {
      this.#arrived.pop()?.();
      await this.#released;
    }
    switch (path) {
      case "/login":
        session.regenerate();
        session.set("user", "ada");
        break;
      case "/logout":
        session.destroy();
        break;
      case "/slow/write":
        session.set("note", "slow");
        break;
      case "/write":
        session.set("note", "late");
        break;
      case "/throw":
        session.set("note", "never");
        throw new Error("the handler has failed");
    }
    if (path.startsWith("/cart/")) session.update("cart", (cart = []) => [...cart, path.slice(6)]);
    return `${session.get("user") ?? "nobody"} ${session.get("cart")?.join() ?? "-"}`;
  }
}
