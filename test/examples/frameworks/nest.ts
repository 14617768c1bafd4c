import "reflect-metadata";
import process from "node:process";
import { Controller, Get, Module, Req } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import session from "express-session";
import { Memcached } from "memwire";
import { createMemwireStore } from "memwire/express";

class Visits {
  count(request: { session: { visits?: number } }): string {
    request.session.visits = (request.session.visits ?? 0) + 1;
    return `visit ${request.session.visits}`;
  }
}
class Application {}

// This is the same as writing @Controller(), @Get() and @Req() before the class, the method and its parameter.
const count = Object.getOwnPropertyDescriptor(Visits.prototype, "count") as PropertyDescriptor;
Controller()(Visits);
Get("/")(Visits.prototype, "count", count);
Req()(Visits.prototype, "count", 0);
Module({ controllers: [Visits] })(Application);

const client = new Memcached(process.env["MEMCACHED_SERVERS"] ?? "localhost:11211");
const MemwireStore = createMemwireStore(session);
const store = new MemwireStore({ client });

const app = await NestFactory.create(Application, { logger: false });
app.use(session({ store, secret: "keep it", resave: false, saveUninitialized: false }));
await app.listen(Number(process.env["PORT"] ?? 3000), "127.0.0.1");
