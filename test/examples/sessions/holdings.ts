/**
 * Which memcached server holds which sessions, for the page. No id leaves this file: whoever knows an
 * id has the session, so what is shown is the beginning of its hash.
 */
import { createHash } from "node:crypto";
import { Memcached, SessionStore } from "../../../mod.ts";
import type { NamedServer } from "./servers.ts";
import type { Visit } from "./shop.ts";

/** A session, as far as others may see it. */
export interface ShownSession {
  readonly hash: string;
  readonly user: string | undefined;
  /** How many things are in the cart; so a change there is a change of what is held. */
  readonly items: number;
}

/** A server and what it holds. */
export interface Holding {
  readonly name: string;
  readonly address: string;
  readonly running: boolean;
  readonly sessions: readonly ShownSession[];
  /** How many more sessions it holds, at least. */
  readonly more: number;
}

/** Where a visitor's session belongs. */
export interface Place {
  readonly hash: string;
  readonly server: string;
}

/** Sessions that are shown of a server, and how many are read to find the visitor's among them. */
const SHOWN = 8;
const READ = 200;

/** Looks into the servers. */
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

  /** The server that a session belongs to, whether it runs or not; undefined for what is no id. */
  placeOf(id: string | undefined): Place | undefined {
    if (!id) return undefined;
    try {
      const { address } = this.#client.serverFor(this.#store.mcKey(id));
      const server = this.#servers.find((server) => server.address === address) as NamedServer;
      return { hash: hashOf(id), server: server.name };
    } catch {
      return undefined; // a cookie is whatever somebody has sent
    }
  }

  /**
   * What each server holds, read after this call. One listing runs at a time, and whoever asks
   * meanwhile shares the next one.
   */
  read(): Promise<readonly Holding[]> {
    return this.#next ??= Promise.resolve(this.#current).then(() => {
      this.#next = undefined;
      return this.#current = Promise.all(this.#servers.map(list));
    });
  }

  /** `holding` with as many sessions as are shown; the visitor's stays if it is there. */
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
  // A store of its own each time: one that lasts would have to find out that a server is back.
  const store = new SessionStore<Visit>({ servers: address, onIteration: "scan" });
  try {
    if (server.runs) {
      for await (const [id, { user, cart }] of store.entries()) {
        sessions.push({ hash: hashOf(id), user, items: cart?.length ?? 0 });
        if (sessions.length === READ) break;
      }
    }
  } catch {
    // It was stopped meanwhile; then it holds nothing.
  } finally {
    await store.close();
  }
  sessions.sort((a, b) => a.hash < b.hash ? -1 : 1);
  return { name, address, running: server.runs, sessions, more: 0 };
}

/** The beginning of an id's SHA-256: the same for the same session, and no way back to the id. */
function hashOf(id: string): string {
  return createHash("sha256").update(id).digest("hex").slice(0, 8);
}
