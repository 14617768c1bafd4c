/**
 * An Express application on one of the stores, for express.ts: its name and the servers are arguments. It prints
 * its port. "/" reads the session, "/change" changes it.
 */
import { createRequire } from "node:module";
import process from "node:process";
import { session, STORES } from "./express_stores.ts";

const require = createRequire(new URL("./peers/package.json", import.meta.url));
const [name = "", memcached = "", redis = ""] = process.argv.slice(2);
const opened = await STORES[name]?.(memcached, redis);
if (opened === undefined) throw new Error(`There is no store ${name}.`);

interface Exchange {
  session: { visits?: number; user?: object };
}

const app = require("express")();
const { store } = opened;
app.use(session({ store, secret: "secret", resave: false, saveUninitialized: false }));
app.get("/change", (request: Exchange, response: { send(text: string): void }) => {
  request.session.user ??= { name: "Ada", email: "ada@example.org", roles: ["customer", "beta"] };
  request.session.visits = (request.session.visits ?? 0) + 1;
  response.send(`${request.session.visits}`);
});
app.get("/", (request: Exchange, response: { send(text: string): void }) => {
  response.send(`${request.session.visits}`);
});
app.get("/cpu", (_: Exchange, response: { send(text: string): void }) => {
  const { user, system } = process.cpuUsage();
  response.send(`${user + system}`);
});
const server = app.listen(0, "127.0.0.1", () => console.log(server.address().port));
