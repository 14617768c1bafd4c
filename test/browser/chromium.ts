/** Finds and starts the machine's chromium, without a window. */
import { type Browser, chromium } from "playwright-core";
import { findProgram } from "../support/find_memcached.ts";

const ARGUMENTS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Starts a browser; the caller closes it. */
export function launchChromium(): Promise<Browser> {
  const executablePath = findProgram("chromium");
  if (executablePath === undefined) {
    throw new Error("There is no chromium on PATH; install it by: npm test -- --install chromium");
  }
  return chromium.launch({ executablePath, args: ARGUMENTS });
}
