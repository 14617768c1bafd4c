/**
 * Clicks through the page of `npm start -- --serve` in a real browser, as README describes: log in on one
 * application, be known on the other, stop the server, keep the cookie, start it again.
 *
 *     npm test -- --install chromium
 *     npm ci --prefix test/browser
 *     npm test -- --no-types test/browser
 *
 * It is not part of `npm test`, because it needs chromium and a driver from its own manifest.
 */
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import type { BrowserContextOptions, Locator, Page } from "playwright-core";
import { type Servers, startPage } from "../support/start_page.ts";
import { until } from "../support/until.ts";
import { launchChromium } from "./chromium.ts";

/** A visitor of the page. */
class Visitor {
  readonly page: Page;
  /** The errors of the page. */
  readonly complaints: string[] = [];
  /** The paths to which the page has posted. */
  readonly posts: string[] = [];

  constructor(page: Page) {
    this.page = page;
    page.setDefaultTimeout(15_000);
    page.on("pageerror", (error) => this.complaints.push(String(error)));
    page.on("console", (message) => {
      const status = /status of 503/.test(message.text()); // chromium reports each of these
      if (message.type() === "error" && !status) this.complaints.push(message.text());
    });
    page.on("request", (request) => {
      if (request.method() === "POST") this.posts.push(new URL(request.url()).pathname);
    });
  }

  /** Finds a button of an application. */
  button(application: "one" | "two", name: string | RegExp): Locator {
    return this.#frame(application).getByRole("button", { name });
  }

  /** Waits until an application says this. */
  async sees(application: "one" | "two", text: string | RegExp): Promise<void> {
    await this.#frame(application).getByText(text).first().waitFor();
  }

  /** Waits until the log says this. */
  async logs(text: string | RegExp): Promise<void> {
    await this.page.locator("#log").getByText(text).first().waitFor();
  }

  async cookie(): Promise<string | undefined> {
    return (await this.page.context().cookies()).find(({ name }) => name === "sid")?.value;
  }

  /** Whether the page, or an application in it, has to be scrolled sideways. */
  async overflows(): Promise<boolean> {
    const wide = this.page.frames().map((frame) =>
      frame.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    );
    return (await Promise.all(wide)).some(Boolean);
  }

  #frame(application: "one" | "two"): ReturnType<Page["frameLocator"]> {
    return this.page.frameLocator(`iframe[name=${application}]`);
  }
}

async function visit(
  t: TestContext,
  servers: Servers,
  options: BrowserContextOptions = {},
): Promise<Visitor> {
  const started = await startPage(servers);
  t.after(() => started.stop());
  const browser = await launchChromium();
  t.after(() => browser.close());
  const visitor = new Visitor(await (await browser.newContext(options)).newPage());
  await visitor.page.goto(started.url);
  await visitor.page.locator(".live", { hasText: /^live$/ }).waitFor();
  return visitor;
}

describe("the page in a browser", () => {
  for (const servers of ["embedded", "real"] as const) {
    test(`shows a session that outlives what happens, ${servers} servers`, async (t) => {
      const visitor = await visit(t, servers);
      const { page } = visitor;
      const mine = page.locator(".server.mine");
      await page.getByText("You have no session yet").waitFor();

      // The visitor logs in on one, is known on two, and the page shows the session's server.
      await visitor.button("one", "Log in").click();
      await visitor.sees("one", "Welcome, Ada.");
      await visitor.sees("two", "Welcome, Ada.");
      await mine.getByText("Ada (you)").waitFor();
      assert.equal(await mine.count(), 1);
      const id = await visitor.cookie() as string;
      const name = (await mine.locator("h2").innerText()).replace("Server ", "");
      await visitor.logs(new RegExp(`POST /login: saved on server ${name}`));

      // The server is stopped: an error, but no logout.
      await mine.getByRole("button", { name: `Stop server ${name}` }).click();
      const stopped = page.locator(".server.stopped");
      await stopped.getByText("stopped", { exact: true }).waitFor();
      for (const application of ["one", "two"] as const) {
        await visitor.sees(application, "503");
        await visitor.sees(application, "You are not logged out");
      }
      await visitor.logs(`GET /: 503, the session on server ${name} cannot be reached`);
      assert.equal(await visitor.cookie(), id);
      assert.equal(await page.locator(".server:not(.stopped)").count(), 2);

      // It is started again, empty, so the session is known to be gone. Both applications find out by themselves.
      await stopped.getByRole("button", { name: `Start server ${name}` })
        .click();
      for (const application of ["one", "two"] as const) {
        await visitor.sees(application, "Who are you?");
      }
      await page.getByText("does not hold it any more").waitFor();
      assert.equal(await visitor.cookie(), id);

      // A new login on the other one, and a logout.
      await visitor.button("two", "Log in").click();
      await visitor.sees("one", "Welcome, Ada.");
      assert.notEqual(await visitor.cookie(), id);
      await visitor.button("one", "Log out").click();
      await visitor.sees("two", "Who are you?");
      await page.getByText("You have no session yet").waitFor();
      assert.equal(await visitor.cookie(), undefined);
      assert.ok(!(await page.content()).includes(id), "no id is shown");
      assert.deepEqual(visitor.complaints, []);
    });
  }

  test("a login during a slow request stays, and reloading repeats no request", async (t) => {
    const visitor = await visit(t, "embedded");
    const { page } = visitor;
    await visitor.button("one", "Add tea").click();
    await visitor.sees("one", /^tea$/);
    await visitor.sees("two", /^tea$/);
    await visitor.button("one", /slowly/).click();
    await page.locator(".window.busy").waitFor();
    await visitor.logs("POST /note is under way.");
    await visitor.button("two", "Log in").click();
    await visitor.sees("two", "Welcome, Ada.");
    const login = await visitor.cookie();
    await visitor.sees("one", "Nothing was saved");
    await visitor.sees("one", "Welcome, Ada.");
    assert.equal(await visitor.cookie(), login);
    assert.equal(await page.locator(".window.busy").count(), 0);

    const posts = [...visitor.posts];
    assert.deepEqual(posts, ["/one/cart", "/one/note", "/two/login"]);
    await page.reload();
    await visitor.sees("one", "Welcome, Ada.");
    await visitor.sees("two", "Welcome, Ada.");
    await visitor.logs("POST /login"); // the log is shown again
    assert.deepEqual(visitor.posts, posts);
    assert.deepEqual(visitor.complaints, []);
  });

  test("a slow request that saves is merged with what another one does meanwhile", async (t) => {
    const visitor = await visit(t, "embedded");
    await visitor.button("one", "Log in").click();
    await visitor.sees("two", "Welcome, Ada.");
    await visitor.button("one", /slowly/).click();
    await visitor.page.locator(".window.busy").waitFor();
    await visitor.button("two", "Add a pen").click();
    for (const application of ["one", "two"] as const) {
      await visitor.sees(application, "a gift, please");
      await visitor.sees(application, /^a pen$/);
    }
  });

  test("a late answer does not replace a newer one", async (t) => {
    const visitor = await visit(t, "embedded");
    const { page } = visitor;
    let release: (() => void) | undefined;
    const held = new Promise<void>((resolve) => release = resolve);
    let asked = 0;
    let isAnswered = false;
    await page.route(({ pathname }) => pathname === "/two/", async (route) => {
      const response = await route.fetch();
      const isFirst = ++asked === 1;
      if (isFirst) await held;
      await route.fulfill({ response });
      isAnswered ||= isFirst;
    });
    await visitor.button("one", "Add tea").click();
    await visitor.sees("one", /^tea$/);
    await until(() => asked > 0); // a busy machine may have asked twice
    await visitor.button("one", "Add a pen").click();
    await visitor.sees("two", /^a pen$/);
    release?.();
    await until(() => isAnswered);
    await page.waitForTimeout(100); // in which it would be drawn
    assert.equal(await page.frameLocator("iframe[name=two]").locator(".item").count(), 2);
  });

  test("fits a phone, in light and dark", async (t) => {
    const viewport = { width: 390, height: 844 };
    const visitor = await visit(t, "embedded", { viewport, colorScheme: "light" });
    const { page } = visitor;
    const colours = (): Promise<unknown[]> =>
      Promise.all(
        page.frames().map((frame) =>
          frame.evaluate(
            "(({ color, backgroundColor }) => [color, backgroundColor])(getComputedStyle(document.body))",
          )
        ),
      );
    const light = await colours();
    assert.equal(await visitor.overflows(), false);
    await page.emulateMedia({ colorScheme: "dark" });
    const dark = await colours();
    for (const [i, colour] of light.entries()) {
      assert.notDeepEqual(dark[i], colour);
    }
    assert.equal(await visitor.overflows(), false);

    await visitor.button("one", "Log in").click();
    await visitor.sees("two", "Welcome, Ada.");
    await page.locator(".server.mine").waitFor();
    assert.equal(await visitor.overflows(), false);
    await page.locator(".server.mine button").click();
    await visitor.sees("one", "503");
    assert.equal(await visitor.overflows(), false);
  });
});
