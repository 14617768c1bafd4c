import fastifyCookie from "@fastify/cookie";
import fastifySession from "@fastify/session";
import fastify from "fastify";
import { createMemwireStore } from "memwire/express";
import { describeRaces } from "./races.ts";

const MemwireStore = createMemwireStore(fastifySession);

describeRaces("Fastify", async (client, answer) => {
  const app = fastify();
  await app.register(fastifyCookie);
  await app.register(fastifySession, {
    store: new MemwireStore({ client }),
    cookieName: "session",
    secret: "a secret of at least 32 characters",
    cookie: { secure: false },
    saveUninitialized: false,
    rolling: false,
  });
  app.get("/*", async (request) =>
    await answer(request.url, {
      session: () => request.session as unknown as Record<string, unknown>,
      regenerate: () => request.session.regenerate(),
      destroy: () => request.session.destroy(),
    }));
  return { origin: await app.listen({ host: "127.0.0.1", port: 0 }), stop: () => app.close() };
});
