/** A server that answers with an error page of its own if its listener fails, as frameworks do. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { TestContext } from "node:test";
import { Visitor } from "./visitor.ts";

export type Listener = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** Makes a visitor of such a server. Its error page removes all headers first, as Koa's does. */
export async function serve(t: TestContext, listener: Listener): Promise<Visitor> {
  const server: Server = createServer((request, response) => {
    listener(request, response).catch((error) => {
      if (response.headersSent) {
        response.destroy();
        return;
      }
      for (const name of response.getHeaderNames()) response.removeHeader(name);
      response.writeHead(500, { "Set-Cookie": "error=1" }).end(String(error.message));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    })
  );
  const { port } = server.address() as { port: number };
  return new Visitor(`http://127.0.0.1:${port}`);
}
