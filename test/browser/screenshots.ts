/**
 * Takes pictures of the page of `npm start -- --serve`, to look at after its design has changed:
 *
 *     node test/support/launch.js test/browser/screenshots.ts FOLDER
 *
 * `3-after-light-1280.png` of them, after `pngquant 64`, is test/examples/sessions/screenshot.png, which README
 * mentions.
 */
import { join } from "node:path";
import process from "node:process";
import { startPage } from "../support/start_page.ts";
import { launchChromium } from "./chromium.ts";

const [folder = "."] = process.argv.slice(2);
await using started = await startPage("real");
const browser = await launchChromium();
for (const user of ["Blaise", "Emmy", "Grace", "Ida"]) { // other visitors
  await fetch(`${started.url}/one/login`, { method: "POST", body: new URLSearchParams({ user }) });
}

for (const colorScheme of ["light", "dark"] as const) {
  const context = await browser.newContext({ colorScheme });
  const page = await context.newPage();
  const shoot = async (name: string): Promise<void> => {
    for (const width of [1280, 390]) {
      await page.setViewportSize({ width, height: width === 1280 ? 860 : 844 });
      await page.waitForTimeout(500);
      const path = join(folder, `${name}-${colorScheme}-${width}.png`);
      await page.screenshot({ path, fullPage: true });
    }
  };
  await page.goto(started.url);
  const one = page.frameLocator("iframe[name=one]");
  const two = page.frameLocator("iframe[name=two]");
  await one.getByRole("button", { name: "Log in" }).waitFor();
  await shoot("1-new");
  await one.getByRole("button", { name: "Add tea" }).click();
  await one.getByText("tea").first().waitFor();
  await one.getByRole("button", { name: /slowly/ }).click();
  await two.getByRole("button", { name: "Log in" }).click();
  await two.getByText("Welcome, Ada.").waitFor();
  await two.getByRole("button", { name: "Add a pen" }).click();
  await shoot("2-busy");
  await one.getByText("Nothing was saved").waitFor();
  await shoot("3-after");
  await page.locator(".server.mine button").click();
  await one.getByText("503").waitFor();
  await shoot("4-stopped");
  await page.locator(".server.stopped button").click();
  await one.getByText("Who are you?").waitFor();
  await shoot("5-started");
  await context.close();
}
await browser.close();
