// All behaviours on a server that asks for the text protocol's authentication (-Y).
import { startMemcached } from "../support/memcached.ts";
import { behaviours, BOTH_DIALECTS } from "./suite/behaviours.ts";
import type { Reached } from "./suite/stage.ts";

const auth = { username: "someone", password: "pa:ss/wörd" };

const { username, password } = auth;
const userinfo = `${username}:${encodeURIComponent(password)}`;

behaviours({
  name: "authentication, credentials in the options",
  async open(): Promise<Reached> {
    const server = await startMemcached({ auth });
    return { server, servers: server.address, options: { auth }, close: () => server.stop() };
  },
}, BOTH_DIALECTS);

// Where the credentials are given makes no difference to the dialect, so one run of the second way is enough.
behaviours({
  name: "authentication, credentials in the address",
  async open(): Promise<Reached> {
    const server = await startMemcached({ auth });
    const servers = `memcached://${userinfo}@${server.address}`;
    return { server, servers, options: {}, close: () => server.stop() };
  },
}, ["meta"]);
