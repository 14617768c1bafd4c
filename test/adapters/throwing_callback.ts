/** A process whose callbacks throw: told the server as an argument, run by express.test.ts. */
import { EventEmitter } from "node:events";
import process from "node:process";
import { Memcached } from "../../mod.ts";
import { createMemwireStore } from "../../src/adapters/express.ts";
import { PATIENT } from "../support/patient.ts";

const MemwireStore = createMemwireStore({ Store: EventEmitter });
const client = new Memcached(process.argv[2], PATIENT);
const store = new MemwireStore({ client });

let next = (): void => {};
process.on("uncaughtException", () => {
  console.log("uncaught");
  next();
});
process.on("unhandledRejection", () => console.log("rejection"));

next = () => {
  next = () => void client.close();
  store.set("a", { cookie: {} }, () => {
    console.log("set");
    throw new Error("thrown by a callback");
  });
};
store.get("a", () => {
  console.log("get");
  throw new Error("thrown by a callback");
});
