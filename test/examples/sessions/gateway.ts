/**
 * Passes a browser's request on to an application and the answer back, as a load balancer does. So the page, both
 * applications and their cookie have one address.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { readForm } from "./http.ts";
import { COOKIE, OUTCOME_HEADER } from "./shop.ts";
import type { Application } from "./start_application.ts";

/** What the log says about a request. */
export interface Exchange {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  /** The result of storeSession, or the code of the error. */
  readonly outcome: string;
  /** The id in the cookie that was set; "" if the cookie was cleared, undefined if left alone. */
  readonly cookie: string | undefined;
  readonly ms: number;
}

const REQUEST_HEADERS = ["accept", "cookie"];
const RESPONSE_HEADERS = ["content-type", "cache-control", "location", "retry-after", "set-cookie"];

/** Passes a request on. Resolves when the answer is on its way to the browser. */
export async function forward(
  { url }: Application,
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<Exchange> {
  const begun = performance.now();
  const method = request.method ?? "GET";
  const headers = new Headers();
  for (const name of REQUEST_HEADERS) {
    const value = request.headers[name];
    if (typeof value === "string") headers.set(name, value);
  }
  const body = method === "POST" ? await readForm(request) : null;
  const answer = await fetch(url + path, { method, headers, body, redirect: "manual" });
  const content = await answer.text();
  for (const name of RESPONSE_HEADERS) {
    const value = answer.headers.get(name);
    if (value !== null) response.setHeader(name, value);
  }
  response.writeHead(answer.status).end(content);
  const set = answer.headers.get("set-cookie");
  return {
    method,
    path: path.replace(/\?.*/, ""),
    status: answer.status,
    outcome: answer.headers.get(OUTCOME_HEADER) ?? "none",
    cookie: set === null ? undefined : new RegExp(`^${COOKIE.name}=([^;]*)`).exec(set)?.[1],
    ms: performance.now() - begun,
  };
}
