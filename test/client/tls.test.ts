// All behaviours over TLS, with certificates checked on both sides.
import { readFileSync } from "node:fs";
import { makeAuthority } from "../support/certificates.ts";
import { startMemcached } from "../support/memcached.ts";
import { behaviours, BOTH_DIALECTS } from "./suite/behaviours.ts";
import type { Reached } from "./suite/stage.ts";

behaviours({
  name: "TLS",
  async open(): Promise<Reached> {
    const authority = makeAuthority();
    const { ca } = authority;
    const server = await startMemcached({ tls: { ...authority.issue(["IP:127.0.0.1"]), ca } });
    const mine = authority.issue(["DNS:client.example"]);
    const [cert, key] = [readFileSync(mine.cert, "utf8"), readFileSync(mine.key, "utf8")];
    const close = async (): Promise<void> => {
      await server.stop();
      authority.dispose();
    };
    return {
      server,
      servers: `memcacheds://${server.address}`,
      options: { tls: { ca: readFileSync(ca), cert, key } },
      close,
    };
  },
}, BOTH_DIALECTS);
