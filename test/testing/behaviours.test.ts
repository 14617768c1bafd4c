// Runs all behaviours of the client on the embedded server. It runs in a process of its own here, because
// the suite stops and continues it by signals.
import { once } from "node:events";
import process from "node:process";
import { behaviours } from "../client/suite/behaviours.ts";
import type { Reached } from "../client/suite/stage.ts";
import type { MemcachedServer } from "../support/memcached.ts";
import { addressOf, memwire } from "./command.ts";

behaviours({
  name: "the embedded server",
  async open(): Promise<Reached> {
    const child = memwire("serve", "--port", "0");
    const address = await addressOf(child);
    const signal = (name: string) => (): void => {
      process.kill(child.pid as number, name);
    };
    // The part of a real server that the suite uses.
    const server = { address, pid: child.pid, pause: signal("SIGSTOP"), resume: signal("SIGCONT") };
    const close = async (): Promise<void> => {
      const gone = once(child, "exit");
      signal("SIGTERM")();
      await gone;
    };
    return { server: server as MemcachedServer, servers: address, options: {}, close };
  },
});
