/**
 * The only file of the client that names sockets: TCP, TLS and unix, behind a few methods.
 */
import * as net from "node:net";
import * as tls from "node:tls";
import type { Address } from "../address.ts";
import { soon } from "./clock.ts";
import type { TlsOptions } from "./tls_options.ts";

// NATs and firewalls forget a connection that was idle for some minutes. Linux by itself sends the first
// probe after two hours.
const KEEP_ALIVE_MS = 60_000;

/** What a socket reports. Received bytes are put where `place` says, then `received` is told how many. */
export interface SocketEvents {
  place(): Uint8Array;
  received(count: number): void;
  /** Connected, TLS included. */
  connected(): void;
  /**
   * The socket is closed for good. Is called once; `error` is undefined if the peer closed it in order.
   */
  closed(error: Error | undefined): void;
}

/** An open, or opening, connection. */
export class Socket {
  readonly #socket: net.Socket;
  readonly #events: SocketEvents;
  #error: Error | undefined;
  #closed = false;
  #held = true;
  // When writes are paced: chunks that wait for the callback of the one before.
  #paced: Uint8Array[] | null = null;
  #writing = false;
  // The addresses that its name was found to have.
  readonly #v4 = new Set<string>();
  readonly #v6 = new Set<string>();

  /**
   * `connectTimeout`, in ms, is divided among the addresses of a name. Whoever opens the socket has to
   * watch it.
   */
  constructor(
    address: Address,
    tlsOptions: TlsOptions | undefined,
    connectTimeout: number,
    events: SocketEvents,
  ) {
    this.#events = events;
    this.#socket = this.#connect(target(address, connectTimeout), address, tlsOptions);
    const connected = tlsOptions === undefined ? "connect" : "secureConnect";
    // If a name has several addresses, Node makes a new handle for each that it tries, and each keeps the
    // process alive.
    this.#socket.on("connectionAttempt", () => this.hold(this.#held));
    this.#socket.on("lookup", (_, ip: string | undefined, family: string | number | undefined) => {
      if (ip !== undefined) (Number(family) === 6 ? this.#v6 : this.#v4).add(ip);
    });
    this.#socket.once(connected, () => {
      this.hold(this.#held);
      events.connected();
    });
    this.#socket.on("error", (error: Error) => this.#error = error);
    // After the peer's FIN no reply can come, so there is nothing to wait for, not even our own writes.
    this.#socket.on("end", () => this.#close());
    this.#socket.on("close", () => this.#close());
  }

  /** How many addresses of one family its name has: more than one are several machines. */
  get addresses(): number {
    return Math.max(this.#v4.size, this.#v6.size);
  }

  /** Whether all that was written has left this process, so that its buffer may be used again. */
  get drained(): boolean {
    return this.#socket.writableLength === 0 && (this.#paced === null || this.#paced.length === 0);
  }

  /**
   * From now on each chunk waits until the one before has left. memcached before 1.6.39 stalls when
   * several TLS records with commands wait for it at once. Chunks of whole commands, of 16,384 bytes at
   * most and written one at a time, get through.
   */
  pace(): void {
    this.#paced = [];
  }

  write(chunks: readonly Uint8Array[]): void {
    if (this.#closed) return;
    if (this.#paced !== null) {
      for (const chunk of chunks) this.#paced.push(chunk);
      this.#writePaced();
    } else if (chunks.length === 1) {
      this.#socket.write(chunks[0]!);
    } else {
      this.#socket.cork();
      for (const chunk of chunks) this.#socket.write(chunk);
      this.#socket.uncork();
    }
  }

  /** Whether the socket keeps the process alive. */
  hold(process: boolean): void {
    this.#held = process;
    if (process) this.#socket.ref();
    else this.#socket.unref();
  }

  /** Stops reading, so that the peer has to wait, or resumes it. */
  pause(paused: boolean): void {
    if (paused) this.#socket.pause();
    else this.#socket.resume();
  }

  /** Closes it at once. `closed` is still reported. */
  destroy(): void {
    this.#close();
  }

  /**
   * If connecting throws (a bad PEM, for example), this is reported a little later, as a refused
   * connection is.
   */
  #connect(
    options: ConnectTarget,
    address: Address,
    tlsOptions: TlsOptions | undefined,
  ): net.Socket {
    try {
      return tlsOptions === undefined
        ? connectPlain(options, this.#events)
        : connectTls(options, address, tlsOptions, this.#events);
    } catch (error) {
      this.#error = error as Error; // of node:net or node:tls, which throw nothing else
      soon(() => this.#close());
      return new net.Socket();
    }
  }

  #writePaced(): void {
    if (this.#writing || this.#closed) return;
    const chunk = this.#paced?.shift();
    if (chunk === undefined) return;
    this.#writing = true;
    this.#socket.write(chunk, () => {
      this.#writing = false;
      this.#writePaced();
    });
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.destroy();
    this.#events.closed(this.#error);
  }
}

function connectPlain(to: ConnectTarget, events: SocketEvents): net.Socket {
  const options = { ...to, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS };
  try {
    // A cast here and below, since the union of a path and a host is no single overload's type.
    return net.connect({ ...options, onread: readInPlace(events) } as net.NetConnectOpts);
  } catch {
    // Deno before 2.8 has no `onread`. If something else was wrong, it throws again without it.
    return takeChunks(net.connect(options), events);
  }
}

// Whether this runtime reads into the buffer that it is given. Its first read shows that.
let readsInPlace = false;

// Enough for the answers of a handshake, which come first.
const SPARE_BYTES = 4096;

/**
 * Reads straight into the place for received bytes: faster than a new chunk for each read by a tenth at
 * 100 bytes and by two fifths at 4 KiB. Not every runtime does so: Bun before 1.4 fills a buffer of its
 * own, and workerd detaches the buffer and passes its memory on as another one. So the first read goes
 * into a spare buffer, and the bytes are always taken from where the runtime says they are.
 */
function readInPlace(events: SocketEvents): net.OnReadOpts {
  let spare = new Uint8Array(0);
  let given: Uint8Array = spare;
  return {
    buffer: () => {
      if (readsInPlace) return given = events.place();
      if (spare.byteLength === 0) spare = new Uint8Array(SPARE_BYTES);
      return given = spare;
    },
    callback: (count, bytes) => {
      const inPlace = given.byteLength > 0 && bytes.buffer === given.buffer;
      if (inPlace && given !== spare) events.received(count);
      else take(bytes.subarray(0, count), events);
      readsInPlace = inPlace;
      return true;
    },
  };
}

function connectTls(
  to: ConnectTarget,
  address: Address,
  options: TlsOptions,
  events: SocketEvents,
): net.Socket {
  const { servername, rejectUnauthorized, ...others } = options;
  const name = servername ?? (address.kind === "tcp" ? address.host : undefined);
  const socket = tls.connect(
    {
      ...others,
      ...to,
      // SNI is for names, not for addresses (RFC 6066, section 3).
      ...(name === undefined || net.isIP(name) !== 0 ? {} : { servername: name }),
      rejectUnauthorized: rejectUnauthorized ?? true,
    } as tls.ConnectionOptions,
  );
  socket.setNoDelay(true);
  socket.setKeepAlive(true, KEEP_ALIVE_MS);
  return takeChunks(socket, events); // `onread` is for net.connect only
}

/** Copies received chunks to the place into which other sockets read. */
function takeChunks(socket: net.Socket, events: SocketEvents): net.Socket {
  return socket.on("data", (chunk: Uint8Array) => take(chunk, events));
}

function take(chunk: Uint8Array, events: SocketEvents): void {
  for (let from = 0; from < chunk.byteLength;) {
    const place = events.place();
    const count = Math.min(place.byteLength, chunk.byteLength - from);
    place.set(chunk.subarray(from, from + count));
    events.received(count);
    from += count;
  }
}

/** Where to connect, in node:net's words. */
type ConnectTarget =
  | { readonly path: string }
  | {
    readonly host: string;
    readonly port: number;
    readonly autoSelectFamilyAttemptTimeout: number;
  };

function target(address: Address, connectTimeout: number): ConnectTarget {
  if (address.kind === "unix") return { path: address.path };
  const { host, port, ip = host } = address;
  // If a name has several addresses, each is tried for this long, and the last one for the rest of the
  // time. The runtimes' own 250 ms (Bun: 500 in all) are over before a lost SYN is sent again. Node takes whole
  // numbers only.
  return { host: ip, port, autoSelectFamilyAttemptTimeout: Math.ceil(connectTimeout / 2) };
}
