// express-session on Express and under NestJS.
import "reflect-metadata";
import type { Server } from "node:http";
import { Controller, Get, Module, Req, Res } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import express from "express";
import session from "express-session";
import type { Memcached } from "memwire";
import { createMemwireStore } from "memwire/express";
import { type Answer, describeRaces, type Running } from "./races.ts";

const MemwireStore = createMemwireStore(session);

/** The middleware with a store on the client. */
function sessions(client: Memcached): express.RequestHandler {
  return session({
    store: new MemwireStore({ client }),
    name: "session",
    secret: "a secret of the cookie's",
    resave: false,
    saveUninitialized: false,
  });
}

function handler(answer: Answer): express.RequestHandler {
  return async (request, response) => {
    const called = (call: (back: (error: unknown) => void) => void): Promise<void> =>
      new Promise((resolve, reject) => call((error) => error ? reject(error) : resolve()));
    response.send(
      await answer(request.path, {
        session: () => request.session as unknown as Record<string, unknown>,
        regenerate: () => called((back) => request.session.regenerate(back)),
        destroy: () => called((back) => request.session.destroy(back)),
      }),
    );
  };
}

function running(server: Server): Running {
  const { port } = server.address() as { port: number };
  return {
    origin: `http://127.0.0.1:${port}`,
    stop: () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  };
}

describeRaces("Express", async (client, answer) => {
  const app = express();
  app.set("env", "test"); // Express logs no errors then
  app.use(sessions(client), handler(answer));
  return running(
    await new Promise<Server>((resolve) => {
      const server = app.listen(0, "127.0.0.1", () => resolve(server));
    }),
  );
});

describeRaces("NestJS", async (client, answer) => {
  const handle = handler(answer);
  class Answering {
    answer(request: express.Request, response: express.Response): unknown {
      return handle(request, response, () => {});
    }
  }
  class Application {}
  // As decorators, which this project's compiler does not take.
  const method = Object.getOwnPropertyDescriptor(
    Answering.prototype,
    "answer",
  ) as PropertyDescriptor;
  Get(["/", "*path"])(Answering.prototype, "answer", method);
  Req()(Answering.prototype, "answer", 0);
  Res()(Answering.prototype, "answer", 1);
  Controller()(Answering);
  Module({ controllers: [Answering] })(Application);

  const app = await NestFactory.create(Application, { logger: false });
  app.use(sessions(client));
  const server = await app.listen(0, "127.0.0.1") as Server;
  return running(server);
});
