// All behaviours over TCP.
import { startMemcached } from "../support/memcached.ts";
import { behaviours } from "./suite/behaviours.ts";
import type { Reached } from "./suite/stage.ts";

behaviours({
  name: "TCP",
  async open(): Promise<Reached> {
    const server = await startMemcached();
    return { server, servers: server.address, options: {}, close: () => server.stop() };
  },
});
