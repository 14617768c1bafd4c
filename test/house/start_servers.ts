/**
 * Starts three servers, stops one, prints all their ports and waits to be killed.
 */
import { startMany } from "../support/memcached.ts";

const servers = await startMany(3);
await servers[0]?.stop();
console.log(servers.map(({ port }) => port).join(" "));
setInterval(() => {}, 1000);
