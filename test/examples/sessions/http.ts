/**
 * The HTTP that both kinds of server here need: reading a posted form, and sending a file from `public/`.
 */
import { readFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { extname } from "node:path";

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
};

/** The largest form, in characters. */
const LARGEST_FORM = 10_000;

/** Returns the fields of the form in a request's body; none if there is no body. */
export async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  let body = "";
  for await (const chunk of request.setEncoding("utf8")) {
    body += chunk;
    if (body.length > LARGEST_FORM) throw new Error("the form is too large");
  }
  return new URLSearchParams(body);
}

/** Answers with one of the files in `public/`, as it is. */
export async function sendFile(response: ServerResponse, name: string): Promise<void> {
  const content = await readFile(new URL(`public/${name}`, import.meta.url));
  response.writeHead(200, {
    "Content-Type": TYPES[extname(name)] as string,
    "Cache-Control": "no-cache",
  });
  response.end(content);
}
