// All behaviours over a unix socket.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startMemcached } from "../support/memcached.ts";
import { behaviours, BOTH_DIALECTS } from "./suite/behaviours.ts";
import type { Reached } from "./suite/stage.ts";

behaviours({
  name: "a unix socket",
  async open(): Promise<Reached> {
    const folder = mkdtempSync(join(tmpdir(), "memwire-"));
    const server = await startMemcached({ unixPath: join(folder, "socket") });
    const close = async (): Promise<void> => {
      await server.stop();
      rmSync(folder, { recursive: true });
    };
    return { server, servers: [{ path: join(folder, "socket") }], options: {}, close };
  },
}, BOTH_DIALECTS);
