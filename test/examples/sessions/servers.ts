/**
 * The memcached servers of the example: real ones if a memcached is found, otherwise memwire's own embedded one,
 * which is for development and tests.
 */
import process from "node:process";
import { MemcachedServer as EmbeddedServer } from "../../../src/testing/mod.ts";
import { findMemcached, type MemcachedSource } from "../../support/find_memcached.ts";
import { freePort, startMemcached } from "../../support/memcached.ts";

/** A server that can be stopped and started again on the same address. */
export interface NamedServer {
  readonly name: string;
  readonly address: string;
  readonly runs: boolean;
  /** Stops it as a crash would: its items are lost. */
  stop(): Promise<void>;
  startAgain(): Promise<void>;
}

/** A kind of server: its description, and how to make one. */
export interface Kind {
  readonly words: string;
  start(name: string): Promise<NamedServer>;
}

/** Chooses the kind by what this machine has. */
export function chooseKind(): Kind {
  const source = findMemcached();
  return source === undefined ? embedded() : real(source);
}

/** Real servers, from the program that was found. */
export function real(source: MemcachedSource): Kind {
  return {
    words: source.kind === "docker" ? "memcached in Docker" : source.path,
    async start(name): Promise<NamedServer> {
      const server = await startMemcached({}, source);
      return {
        name,
        address: server.address,
        get runs(): boolean {
          return server.pid !== undefined;
        },
        stop: () => server.stop(),
        startAgain: () => server.restart(),
      };
    },
  };
}

/** Embedded servers, in this process. */
export function embedded(): Kind {
  return {
    words:
      "memwire/testing in this process: no memcached was found in $MEMCACHED, on PATH or in Docker",
    async start(name): Promise<NamedServer> {
      const port = await freePort();
      let server: EmbeddedServer | undefined = await EmbeddedServer.start({ port });
      return {
        name,
        address: server.address,
        get runs(): boolean {
          return server !== undefined;
        },
        async stop(): Promise<void> {
          await server?.stop();
          server = undefined;
        },
        async startAgain(): Promise<void> {
          server = await EmbeddedServer.start({ port });
        },
      };
    },
  };
}

/** Returns the name of the runtime. */
export function runtimeName(): string {
  const { bun, deno, node } = process.versions as Record<
    string,
    string | undefined
  >;
  return bun ? `Bun ${bun}` : deno ? `Deno ${deno}` : `Node ${node}`;
}
