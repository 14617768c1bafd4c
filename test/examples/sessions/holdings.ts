/**
 * Finds out which memcached server holds which sessions, for the page. No id leaves this file, because whoever
 * knows an id has the session; the page shows the beginning of its hash.
 */
import { createHash } from "node:crypto";
import { Memcached, SessionStore } from "../../../mod.ts";
import type { NamedServer } from "./servers.ts";
import type { Visit } from "./shop.ts";

/** The part of a session that others may see. */
export interface ShownSession {
  readonly hash: string;
  readonly user: string | undefined;
  /** How many things are in the cart, so that a change of the cart changes this too. */
  readonly items: number;
}

/** A server and what it holds. */
export interface Holding {
  readonly name: string;
  readonly address: string;
  readonly running: boolean;
  readonly sessions: readonly ShownSession[];
  /** How many more sessions the server holds, at least. */
  readonly more: number;
}

/** The server that a visitor's session belongs to. */
export interface Place {
  readonly hash: string;
  readonly server: string;
}

/** How many sessions of a server are shown, and how many are read to find the visitor's. */
const SHOWN = 8;
const READ = 200;

/** Reads what the servers hold. */
export class Holdings {
  readonly #servers: readonly NamedServer[];
  readonly #client: Memcached;
  readonly #store: SessionStore;
  #current: Promise<readonly Holding[]> | undefined;
  #next: Promise<readonly Holding[]> | undefined;

  constructor(servers: readonly NamedServer[]) {
    this.#servers = servers;
    this.#client = new Memcached(servers.map(({ address }) => address));
    this.#store = new SessionStore({ client: this.#client });
  }

  /** Returns the server that a session belongs to, whether it runs or not; undefined for what is not an id. */
  placeOf(id: string | undefined): Place | undefined {
    if (!id) return undefined;
    try {
      const { address } = this.#client.serverFor(this.#store.mcKey(id));
      const server = this.#servers.find((server) => server.address === address) as NamedServer;
      return { hash: hashOf(id), server: server.name };
    } catch {
      return undefined; // a cookie can hold anything
    }
  }

  /**
   * Reads what each server holds. One listing runs at a time, and calls that come meanwhile share the next
   * one, which begins after them.
   */
  read(): Promise<readonly Holding[]> {
    return this.#next ??= Promise.resolve(this.#current).then(() => {
      this.#next = undefined;
      return this.#current = Promise.all(this.#servers.map(list));
    });
  }

  /** Cuts `holding` to the sessions that are shown. The visitor's own stays if it is there. */
  static shorten(holding: Holding, yours: Place | undefined): Holding {
    const first = holding.sessions.filter(({ hash }) => hash === yours?.hash);
    const rest = holding.sessions.filter(({ hash }) => hash !== yours?.hash);
    const sessions = [...first, ...rest].slice(0, SHOWN);
    return {
      ...holding,
      sessions,
      more: holding.sessions.length - sessions.length,
    };
  }

  async close(): Promise<void> {
    await this.#store.close();
    await this.#client.close();
  }
}

async function list(server: NamedServer): Promise<Holding> {
  const { name, address } = server;
  const sessions: ShownSession[] = [];
  // A new store each time, because a lasting one would first have to find out that a server is back.
  const store = new SessionStore<Visit>({ servers: address, onIteration: "scan" });
  try {
    if (server.runs) {
      for await (const [id, { user, cart }] of store.entries()) {
        sessions.push({ hash: hashOf(id), user, items: cart?.length ?? 0 });
        if (sessions.length === READ) break;
      }
    }
  } catch {
    // The server was stopped meanwhile, so it holds nothing.
  } finally {
    await store.close();
  }
  sessions.sort((a, b) => a.hash < b.hash ? -1 : 1);
  return { name, address, running: server.runs, sessions, more: 0 };
}

/** Returns the beginning of the id's SHA-256: the same for the same session, and no way back to the id. */
function hashOf(id: string): string {
  return createHash("sha256").update(id).digest("hex").slice(0, 8);
}
