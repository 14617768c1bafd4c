/**
 * A process that runs one application server:
 *
 *     application.ts NAME SERVER,SERVER,...
 *
 * Prints its port and serves until its standard input ends.
 */
import process from "node:process";
import type { AddressInfo } from "node:net";
import { SessionStore } from "../../../mod.ts";
import { createShop, type Visit } from "./shop.ts";

const [name = "one", servers = "localhost:11211"] = process.argv.slice(2);
const store = new SessionStore<Visit>({ servers });
const shop = createShop(name, store);
shop.listen(0, "127.0.0.1", () => console.log((shop.address() as AddressInfo).port));

process.stdin.resume().on("end", async () => {
  shop.close();
  shop.closeAllConnections();
  await store.close();
});
