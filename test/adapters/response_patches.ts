/** Middleware that patches a response, in the way of the packages on-headers, cookie-session and compression. */
import type { ServerResponse } from "node:http";
import { createGzip, type Gzip } from "node:zlib";

type Call = (...args: unknown[]) => unknown;
type Patched = Record<"writeHead" | "write" | "end" | "on", Call>;

/** Calls the listener before the head is written, as on-headers does. */
export function onHeaders(response: ServerResponse, listener: () => void): void {
  const patched = response as unknown as Patched;
  const { writeHead } = patched;
  let fired = false;
  patched.writeHead = (status, ...rest) => {
    response.statusCode = status as number;
    const headers = rest.find((arg) => typeof arg === "object") ?? {};
    for (const [name, value] of Object.entries(headers as Record<string, string>)) {
      response.setHeader(name, value);
    }
    if (!fired) {
      fired = true;
      listener();
    }
    return writeHead.call(response, response.statusCode);
  };
}

/** Adds a cookie when the head is written, as cookie-session does. */
export function addCookie(response: ServerResponse, cookie: string): void {
  onHeaders(response, () => {
    const others = [response.getHeader("Set-Cookie") ?? []].flat().map(String);
    response.setHeader("Set-Cookie", [...others, cookie]);
  });
}

/** Compresses the body, as compression does. */
export function compress(response: ServerResponse): void {
  const patched = response as unknown as Patched;
  const { write, end, on } = patched;
  const waiting: (() => void)[] = [];
  let gzip: Gzip | undefined;
  let ended = false;

  function begin(): Gzip | undefined {
    if (!response.headersSent) patched.writeHead(response.statusCode);
    return gzip;
  }

  patched.write = (chunk) => {
    if (ended) return false;
    return begin()?.write(chunk) ?? write.call(response, chunk);
  };
  patched.end = (chunk) => {
    if (ended) return false;
    begin();
    ended = true;
    return gzip === undefined ? end.call(response, chunk) : gzip.end(chunk ?? "");
  };
  patched.on = (event, listener) => {
    if (event !== "drain") return on.call(response, event, listener);
    if (gzip === undefined) waiting.push(listener as () => void);
    else gzip.on("drain", listener as () => void);
    return response;
  };
  onHeaders(response, () => {
    const stream = gzip = createGzip();
    stream.setMaxListeners(0); // once() removes its listeners from the response, not from here
    for (const listener of waiting) stream.on("drain", listener);
    response.setHeader("Content-Encoding", "gzip");
    response.removeHeader("Content-Length");
    stream.on("data", (chunk) => {
      if (write.call(response, chunk) === false) stream.pause();
    });
    stream.on("end", () => end.call(response));
    on.call(response, "drain", () => stream.resume());
  });
}
