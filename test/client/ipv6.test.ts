// All behaviours over IPv6, in both spellings of an address.
import { startMemcached } from "../support/memcached.ts";
import { behaviours, BOTH_DIALECTS } from "./suite/behaviours.ts";
import type { Reached, Way } from "./suite/stage.ts";

function wayFor(spelling: string): Way {
  return {
    name: `IPv6 as ${spelling}`,
    async open(): Promise<Reached> {
      const server = await startMemcached({ host: "::1" });
      const servers = spelling.replace("port", String(server.port));
      return { server, servers, options: {}, close: () => server.stop() };
    },
  };
}

// The spelling makes no difference to the dialect, so one run of the second one is enough.
behaviours(wayFor("[::1]:port"), BOTH_DIALECTS);
behaviours(wayFor("inet6:[::1]:port"), ["meta"]);
