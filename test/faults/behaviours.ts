/**
 * Behaviours that one or another JavaScript memcached client gets wrong: what was tried, and what must come of
 * it. Every row has a test of its name in behaviours_*.test.ts.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { once } from "node:events";
import { connect } from "node:net";
import { Memcached, type MemcachedOptions } from "../../mod.ts";
import { type MemcachedServer, startMemcached } from "../support/memcached.ts";
import { type Dialect, PATIENT } from "./rig.ts";

/** The situations that were tried. */
export const BEHAVIOURS = [
  "key-crlf",
  "key-space",
  "key-control \\x01",
  "key-control \\x7f",
  "key-251 bytes",
  "126 x é = 252 bytes",
  "key-empty",
  "key `constructor`, `__proto__`",
  "value with \\r\\nEND\\r\\nVALUE",
  "the same, written by another client",
  "empty value",
  "256-byte binary",
  "binary from another client (flags 0)",
  "2 MiB value, then next op",
  "900 KB utf8",
  "TTL 31 days",
  "TTL 0.5",
  "TTL NaN",
  "incr > 2^53",
  "incr 2^32-1",
  "incr of missing",
  "1-byte segments",
  "300 coalesced replies",
  "garbage reply",
  "SERVER_ERROR out of memory",
  "ERROR reply",
  "reply for another key",
  "FIN after half a value",
  "RST after half a value",
  "FIN, 5 pending",
  "RST, 5 pending",
  "SIGKILL server",
  "restart after 1 s",
  "refused at start",
  "never answers (defaults)",
  "1 byte per 250 ms, timeout 1 s",
  "late reply to A after timeout; B",
  "incr applied, reply lost",
  "1,000 cold gets",
  "10,000 warm gets",
  "stalled, 100k x 1 KB sets",
  "idle 6.5 s",
  "server closed idle connection",
  "op in the tick the server closes",
  "3 servers, 300 keys",
  "1 of 3 dies for 3 s",
  "exit after close()",
] as const;

/** The name of a row's test; a name that is not in the list does not compile. */
export function behaviour(row: (typeof BEHAVIOURS)[number], dialect?: Dialect): string {
  return dialect === undefined ? row : `${row}, ${dialect}`;
}

/** A real memcached, a client, and a view of the bytes that the server has. */
export class Real implements AsyncDisposable {
  readonly server: MemcachedServer;
  readonly client: Memcached;

  constructor(server: MemcachedServer, client: Memcached) {
    this.server = server;
    this.client = client;
  }

  /** Returns how many commands of any kind the server has run, without those of this method. */
  async commands(): Promise<number> {
    const stats = await this.server.ask("stats");
    const counts = [...stats.matchAll(/^STAT cmd_\w+ (\d+)\r$/gm)].map(([, count]) =>
      Number(count)
    );
    return counts.reduce((sum, count) => sum + count, 0);
  }

  /** Stores bytes as another client would. */
  async storeRaw(key: string, flags: number, value: Uint8Array): Promise<void> {
    const socket = connect(this.server.port, this.server.host);
    socket.write(`set ${key} ${flags} 0 ${value.length}\r\n`);
    socket.write(value);
    socket.end("\r\n");
    const [reply] = await once(socket, "data") as [Buffer];
    assert.equal(reply.toString(), "STORED\r\n");
    socket.destroy();
  }

  /** Returns the flags and bytes that the server has under a key. */
  async read(key: string): Promise<{ flags: number; data: Buffer } | undefined> {
    const reply = await this.server.ask(`get ${key}`, /END\r\n$/);
    const head = /^VALUE \S+ (\d+) (\d+)\r\n/.exec(reply);
    if (head === null) return undefined;
    const data = Buffer.from(reply, "latin1").subarray(
      head[0].length,
      head[0].length + Number(head[2]),
    );
    return { flags: Number(head[1]), data };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.close();
    await this.server.stop();
  }
}

/** Starts a server and a client that speaks the dialect. */
export async function real(protocol: Dialect, options: MemcachedOptions = {}): Promise<Real> {
  const server = await startMemcached();
  return new Real(server, new Memcached(server.address, { ...PATIENT, protocol, ...options }));
}
