/** `npm start -- --serve`: its arguments, and what the page's server does. These tests use no browser. */
import assert from "node:assert/strict";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { describe, test, type TestContext } from "node:test";
import { SessionStore } from "../../mod.ts";
import { readCommandLine } from "../examples/sessions/command_line.ts";
import { type PageServer, servePage } from "../examples/sessions/page_server.ts";
import { embedded, type Kind, real } from "../examples/sessions/servers.ts";
import { createShop, type Visit } from "../examples/sessions/shop.ts";
import type { Application } from "../examples/sessions/start_application.ts";
import { runInChild } from "../support/child.ts";
import { findMemcached, type MemcachedSource } from "../support/find_memcached.ts";
import { startPage } from "../support/start_page.ts";
import { until } from "../support/until.ts";

const MAIN = new URL("../examples/sessions/main.ts", import.meta.url);

/** The page with both applications in this process. */
async function startHere(t: TestContext, kind: Kind): Promise<PageServer> {
  const servers = await Promise.all(["A", "B", "C"].map((name) => kind.start(name)));
  const applications = await Promise.all(["one", "two"].map(async (name): Promise<Application> => {
    const store = new SessionStore<Visit>({ servers: servers.map(({ address }) => address) });
    const shop = createShop(name, store).listen(0, "127.0.0.1");
    await once(shop, "listening");
    const stop = async (): Promise<void> => {
      shop.close();
      shop.closeAllConnections();
      await store.close();
    };
    return { name, url: `http://127.0.0.1:${(shop.address() as AddressInfo).port}`, stop };
  }));
  const page = await servePage(servers, applications, { port: 0, words: kind.words });
  t.after(async () => {
    await page.stop();
    await Promise.all([...applications, ...servers].map((part) => part.stop()));
  });
  return page;
}

/** A simple browser: it keeps a cookie, posts forms, and reads the page's state and events. */
class Browser {
  cookie: string | undefined;
  /** The part of the event stream that has arrived. */
  heard = "";
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  async ask(path: string, form?: Record<string, string>, more = {}): Promise<Response> {
    const headers: Record<string, string> = { accept: "text/html", ...more };
    if (this.cookie !== undefined) headers["cookie"] = `sid=${this.cookie}`;
    const post = form && { method: "POST", body: new URLSearchParams(form) };
    const response = await fetch(this.#url + path, { headers, redirect: "manual", ...post });
    const [set] = response.headers.getSetCookie();
    if (set !== undefined) this.cookie = /^sid=([^;]*)/.exec(set)?.[1] || undefined;
    return response;
  }

  async text(path: string): Promise<string> {
    return await (await this.ask(path)).text();
  }

  /** Posts a form, and resolves to the location of the redirect. */
  async post(path: string, form: Record<string, string> = {}): Promise<string | null> {
    const response = await this.ask(path, form);
    await response.text();
    assert.equal(response.status, 303, path);
    return response.headers.get("location");
  }

  async state(): Promise<State> {
    return await (await this.ask("/state")).json() as State;
  }

  /** Follows the event stream until the test is over. */
  async follow(t: TestContext): Promise<void> {
    const abort = new AbortController();
    t.after(() => abort.abort());
    const { body } = await fetch(`${this.#url}/events`, { signal: abort.signal });
    const read = async (): Promise<void> => {
      const decoder = new TextDecoder();
      for await (const chunk of body ?? []) this.heard += decoder.decode(chunk, { stream: true });
    };
    read().catch(() => {}); // aborted, or ended by the server
  }
}

interface State {
  readonly servers: readonly {
    readonly name: string;
    readonly running: boolean;
    readonly sessions: readonly { readonly hash: string; readonly user?: string }[];
  }[];
  readonly you: { readonly hash: string; readonly server: string; readonly held: boolean } | null;
}

const kinds: Readonly<Record<string, () => Kind>> = {
  embedded,
  real: () => real(findMemcached() as MemcachedSource),
};

for (const [name, kind] of Object.entries(kinds)) {
  test(`a visitor of the page, ${name} servers`, async (t) => {
    const page = await startHere(t, kind());
    const browser = new Browser(page.url);
    await browser.follow(t);
    assert.equal((await browser.state()).you, null);
    assert.match(await browser.text("/one/"), /Who are you\?/);

    assert.equal(await browser.post("/one/login", { user: "<Ada>" }), "./");
    const id = browser.cookie as string;
    assert.match(await browser.text("/two/"), /Welcome, &#60;Ada&#62;\./);
    const { you, servers } = await browser.state();
    assert.ok(you?.held);
    const holder = servers.find(({ name }) => name === you.server);
    assert.deepEqual(holder?.sessions, [{ hash: you.hash, user: "<Ada>", items: 0 }]);
    assert.equal(servers.flatMap(({ sessions }) => sessions).length, 1);

    assert.equal(await browser.post(`/servers/${you.server}/stop`), "/");
    await until(() => browser.heard.includes(`"from":"${you.server}","tone":"bad"`));
    await until(() => /event: change\ndata: {}\n\n/.test(browser.heard), 1_000); // before the next look
    const failed = await browser.ask("/two/");
    assert.equal(failed.status, 503);
    assert.equal(failed.headers.get("set-cookie"), null);
    assert.match(await failed.text(), /SERVER_DOWN/);
    assert.match(await browser.post("/two/cart", { item: "tea" }) ?? "", /\?after=[A-Z_]+$/);
    assert.equal(browser.cookie, id);
    const stopped = (await browser.state()).servers.find(({ name }) => name === you.server);
    assert.deepEqual([stopped?.running, stopped?.sessions], [false, []]);

    assert.equal(await browser.post(`/servers/${you.server}/start`), "/");
    await until(async () => (await browser.ask("/two/")).status === 200, 10_000);
    assert.deepEqual((await browser.state()).you, { ...you, held: false });

    await until(async () => await browser.post("/two/login", { user: "Ada" }) === "./", 10_000);
    assert.notEqual(browser.cookie, id);
    await browser.post("/one/logout");
    assert.equal(browser.cookie, undefined);
    assert.match(await browser.text("/two/"), /Who are you\?/);
    // The page shows nothing with which an onlooker could take over the session.
    assert.ok(!browser.heard.includes(id) && !JSON.stringify(you).includes(id));
  });
}

describe("the page's server", () => {
  test("keeps a login beside a slow request, whether that saves or not", async (t) => {
    const page = await startHere(t, embedded());
    const note = { note: "a gift", slow: "300" };
    for (const first of ["nothing", "a cart"]) {
      const browser = new Browser(page.url);
      if (first === "a cart") await browser.post("/one/cart", { item: "tea" });
      const slow = browser.post("/one/note", note);
      await until(async () => (await browser.text("/two/")).includes("Who are you?"));
      await browser.post("/two/login", { user: "Ada" });
      const login = browser.cookie;
      await slow;
      assert.equal(browser.cookie, login, `${first} before`);
      const shown = await browser.text("/one/");
      assert.match(shown, /Welcome, Ada\./);
      assert.equal(shown.includes(`class="item">tea`), first === "a cart");
    }
  });

  test("saves what a slow and a quick request of one session change", async (t) => {
    const page = await startHere(t, embedded());
    const browser = new Browser(page.url);
    await browser.post("/one/login", { user: "Ada" });
    const slow = browser.post("/one/note", { note: "a gift", slow: "200" });
    await browser.post("/two/cart", { item: "a pen" });
    await slow;
    const shown = await browser.text("/two/");
    assert.match(shown, /a gift/);
    assert.match(shown, /a pen/);
  });

  test("tells a browser that connects later what has happened and what is under way", async (t) => {
    const page = await startHere(t, embedded());
    const browser = new Browser(page.url);
    await browser.post("/one/login", { user: "Ada" });
    await browser.follow(t);
    await until(() => /POST \/login: saved on server [ABC], with a cookie/.test(browser.heard));
    const slow = browser.post("/two/note", { note: "later", slow: "700" });
    await until(() => browser.heard.includes("POST /note is under way"));
    await slow;
    await until(() => /POST \/note: saved on server/.test(browser.heard));
    await until(() => /event: change\ndata: {"by":"two"}\n\n/.test(browser.heard));
  });

  test("refuses another site's forms, and what it does not have", async (t) => {
    const page = await startHere(t, embedded());
    const browser = new Browser(page.url);
    for (const path of ["/servers/A/stop", "/one/login"]) {
      assert.equal((await browser.ask(path, {}, { origin: "http://a.example" })).status, 403);
      assert.equal((await browser.ask(path, {}, { origin: page.url })).status, 303);
    }
    for (const path of ["/servers/D/stop", "/servers/A/kill", "/servers", "/state", "/"]) {
      assert.equal((await browser.ask(path, {})).status, 404, path);
    }
    for (
      const path of ["/nothing", "/page.html", "/../shop.ts", "/one/nothing", "/servers/A/stop"]
    ) {
      assert.equal((await browser.ask(path)).status, 404, path);
    }
    for (const path of ["/", "/page.css", "/page.js", "/base.css", "/one/base.css"]) {
      assert.equal((await browser.ask(path)).status, 200, path);
    }
    assert.equal((await browser.ask("/one")).headers.get("location"), "/one/");
    browser.cookie = "no id=";
    assert.equal((await browser.state()).you, null);
  });
});

test("a port that is taken is reported", async (t) => {
  const page = await startHere(t, embedded());
  const server = await embedded().start("A");
  t.after(() => server.stop());
  const port = Number(new URL(page.url).port);
  await assert.rejects(servePage([server], [], { port, words: "" }), /in use|EADDRINUSE/);
});

describe("npm start", () => {
  test("takes --serve, --port and --help, and nothing else", () => {
    assert.deepEqual(readCommandLine([]), { serve: false, port: 0, help: false });
    assert.deepEqual(readCommandLine(["--serve"]), { serve: true, port: 0, help: false });
    const served = readCommandLine(["--port=3000", "--serve"]);
    assert.deepEqual(served, { serve: true, port: 3000, help: false });
    assert.ok(readCommandLine(["--help"]).help && readCommandLine(["-h"]).help);
    for (const wrong of [["--srve"], ["-x"], ["serve"], ["--serve", "--port"], ["--serve=yes"]]) {
      assert.throws(() => readCommandLine(wrong), /serve|srve|-x|port/, wrong.join(" "));
    }
    assert.throws(() => readCommandLine(["--port", "3000"]), /--port needs --serve/);
    for (const port of ["", "-1", "80.5", "65536", "1e3", "http"]) {
      const args = ["--serve", `--port=${port}`];
      assert.throws(() => readCommandLine(args), /--port is ".*", not a number from 0 to 65535/);
    }
  });

  test("says what is wrong with its arguments, and prints its usage", async () => {
    const { code, stdout, stderr } = await runInChild(MAIN, { args: ["--srve"] });
    assert.deepEqual([code, stdout], [2, ""]);
    assert.match(stderr, /--srve[^]*Usage: npm start/);
    assert.doesNotMatch(stderr, /^ {4}at /m);
  });

  test("-- --serve serves the page with its own applications, and ends by SIGTERM", async () => {
    await using page = await startPage("embedded");
    const browser = new Browser(page.url);
    await browser.post("/one/login", { user: "Ada" });
    assert.match(await browser.text("/two/"), /Welcome, Ada\./);
    assert.equal(await page.stop(), 0);
    await assert.rejects(browser.ask("/"));
  });
});
