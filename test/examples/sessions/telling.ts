/**
 * Puts into words, for the page's log, what a request has meant for the visitor's session and cookie.
 */
import type { Exchange } from "./gateway.ts";
import type { Place } from "./holdings.ts";
import type { Entry } from "./journal.ts";

/** The words about a request, and their colour. */
export type Told = Pick<Entry, "tone" | "text">;

/**
 * Describes a request that has ended. `brought` is the server of the session in the request's cookie, `set` that of
 * the cookie in the response.
 */
export function tellExchange(
  exchange: Exchange,
  brought: Place | undefined,
  set: Place | undefined,
): Told {
  const { method, path, status, outcome, cookie, ms } = exchange;
  const request = `${method} ${path}${ms > 1_000 ? `, after ${(ms / 1000).toFixed(1)} s` : ""}`;
  const where = brought === undefined ? "" : ` on server ${brought.server}`;
  switch (outcome) {
    case "stored":
      return set === undefined ? { tone: "good", text: `${request}: saved${where}.` } : {
        tone: "good",
        text: `${request}: saved on server ${set.server}, with a cookie for session ${set.hash}.`,
      };
    case "deleted":
      return {
        tone: "plain",
        text: `${request}: session ${brought?.hash} deleted${where}, cookie cleared.`,
      };
    case "gone":
      return {
        tone: "plain",
        text: `${request}: session ${brought?.hash} had ended or moved meanwhile. ` +
          `Nothing saved, cookie ${cookie === undefined ? "left alone" : "changed"}.`,
      };
    case "unchanged":
      return {
        tone: "plain",
        text: `${request}: nothing to save, cookie left alone.`,
      };
    case "none":
      return { tone: "bad", text: `${request}: ${status}.` };
    default: {
      const result = method === "GET" ? status : "nothing saved";
      const why = `the session${where} cannot be reached (${outcome})`;
      return {
        tone: "bad",
        text: `${request}: ${result}, ${why}. Cookie kept.`,
      };
    }
  }
}
