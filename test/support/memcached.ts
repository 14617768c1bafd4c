/**
 * Disposable memcached servers: real ones, each a process of its own on a free port.
 *
 *     const server = await startMemcached();          // or: await using server = ...
 *     t.after(() => server.stop());
 *     new Memcached(server.address);
 *     await server.kill();                            // SIGKILL, as a crash would
 *     await server.restart();                         // same address, empty
 *     server.pause(); server.resume();                // SIGSTOP, SIGCONT: accepts, never answers
 *
 * find_memcached.ts says where they come from. `borrowMemcached` takes a running server from
 * `$MEMCACHED_SERVERS` if that is set. It is for tests that only talk to a server, whatever it holds.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import {
  findMemcached,
  givenServers,
  type MemcachedSource,
  WAYS_TO_GET_ONE,
} from "./find_memcached.ts";
import {
  type Command,
  memcachedCommand,
  type Place,
  type StartOptions,
} from "./memcached_command.ts";
import { forget, watch } from "./watchdog.ts";

export type { StartOptions } from "./memcached_command.ts";

/** How long a server may take until it accepts connections, in ms. */
const START_LIMIT = 15_000;

/** The servers that run now. They are killed when this process exits, however it ends. */
const running = new Set<MemcachedServer>();
let source: MemcachedSource | undefined;

process.on("exit", () => {
  for (const server of running) server.signal("SIGKILL");
});

/** Starts a server and waits until it accepts connections. `from` replaces the program that was found. */
export async function startMemcached(
  options: StartOptions = {},
  from?: MemcachedSource,
): Promise<MemcachedServer> {
  source ??= findMemcached();
  const program = from ?? source;
  if (program === undefined) throw new Error(`No memcached was found. ${WAYS_TO_GET_ONE}`);
  for (let attempt = 1;; attempt++) {
    const server = new MemcachedServer(program, options, await choosePlace(options));
    try {
      await server.restart();
      return server;
    } catch (error) {
      await server.stop();
      const fixed = options.port !== undefined || options.unixPath !== undefined;
      if (fixed || attempt === 5) throw error; // otherwise somebody may have taken the port first
    }
  }
}

/** One memcached process, or one after another on the same address. */
export class MemcachedServer implements AsyncDisposable {
  /** The address, as a client takes it: "host:port", "[v6]:port" or "unix:/path". */
  readonly address: string;
  readonly host: string;
  /** The TCP port; 0 on a unix socket. */
  readonly port: number;
  readonly #place: Place;
  readonly #build: () => Command;
  readonly #folder: string | undefined;
  /** Whether it answers `stats` without TLS and without authentication. */
  readonly #open: boolean;
  #command: Command | undefined;
  #child: ChildProcess | undefined;
  #errors = "";

  /** Use startMemcached. */
  constructor(source: MemcachedSource, options: StartOptions, place: Place) {
    this.#place = place;
    this.host = place.kind === "tcp" ? place.host : "";
    this.port = place.kind === "tcp" ? place.port : 0;
    this.address = place.kind === "unix"
      ? `unix:${place.path}`
      : `${place.host.includes(":") ? `[${place.host}]` : place.host}:${place.port}`;
    const { auth, tls, args = [] } = options;
    this.#open = source.kind === "program" && auth === undefined && tls === undefined &&
      !args.includes("-Z") && !args.includes("-Y");
    this.#folder = auth && mkdtempSync(join(tmpdir(), "memwire-auth-"));
    const authFile = this.#folder && join(this.#folder, "users");
    if (authFile) writeFileSync(authFile, `${auth?.username}:${auth?.password}\n`);
    this.#build = () => memcachedCommand(source, { ...options, place, authFile });
  }

  /** The id of the process that runs now; undefined after a kill. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Starts it again, empty, on the same address. Resolves when it accepts connections. */
  async restart(): Promise<void> {
    await this.kill();
    this.#errors = "";
    this.#command = this.#build();
    const { file, args } = this.#command;
    const child = spawn(file, args, { stdio: ["ignore", "ignore", "pipe"] });
    this.#child = child;
    running.add(this);
    if (child.pid !== undefined) watch(child.pid);
    child.stderr.setEncoding("utf8").on("data", (text: string) => this.#errors += text);
    child.once("exit", () => {
      if (this.#child === child) this.#forget();
    });
    child.once("error", (error) => {
      this.#errors += String(error);
      if (this.#child === child) this.#forget();
    });
    await this.#accepts();
    // A forgotten server does not keep the test alive, so that a test that hangs shows a leak of a client.
    child.unref();
    (child.stderr as unknown as Socket).unref?.();
  }

  /** Kills it by SIGKILL and waits until it is gone. Does nothing if it is gone already. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    child.ref();
    const gone = once(child, "exit");
    this.signal("SIGKILL");
    const last = setTimeout(() => child.kill("SIGKILL"), 5_000); // in case Docker does not obey
    await gone;
    clearTimeout(last);
    this.#forget();
  }

  /** Sends a signal; for SIGKILL `kill` waits as well. */
  signal(name: NodeJS.Signals): void {
    const pid = this.#child?.pid;
    if (pid === undefined) return;
    if (this.#command?.signal !== undefined) return this.#command.signal(name);
    try {
      process.kill(pid, name); // not child.kill, which in Deno takes any signal for the end of the process
    } catch {
      // The process is gone, and its exit event will follow.
    }
  }

  /** Stops it: from now on connections are accepted (by the kernel) and nothing is answered. */
  pause(): void {
    this.signal("SIGSTOP");
    // Its threads stop one by one, and a busy one may still answer what comes now.
    const end = performance.now() + 1_000;
    while (!this.#isStopped() && performance.now() < end);
  }

  /** Whether all threads of the process have stopped; true if that cannot be seen here. */
  #isStopped(): boolean {
    if (this.#command?.signal !== undefined) return true;
    const tasks = `/proc/${this.#child?.pid}/task`;
    try {
      return readdirSync(tasks).every((task) =>
        /\) T /.test(readFileSync(`${tasks}/${task}/stat`, "latin1"))
      );
    } catch {
      return true;
    }
  }

  /** Continues it. It also answers what arrived while it was paused. */
  resume(): void {
    this.signal("SIGCONT");
  }

  /** Kills it for good and removes its files. */
  async stop(): Promise<void> {
    await this.kill();
    if (this.#folder !== undefined) rmSync(this.#folder, { recursive: true, force: true });
    if (this.#place.kind === "unix") rmSync(this.#place.path, { force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /**
   * Sends a line over a new connection and resolves to the reply, up to a line that matches `last`. It does not
   * work with TLS. `server.ask("stats")`, for example, counts connections.
   */
  ask(
    line: string,
    last: RegExp = /^(END|OK|RESET|VERSION .*|(CLIENT_|SERVER_)?ERROR.*)\r$/m,
  ): Promise<string> {
    return ask(this.#place, line, last);
  }

  async #accepts(): Promise<void> {
    const limit = Date.now() + START_LIMIT;
    while (this.#child !== undefined && Date.now() < limit) {
      if (await accepts(this.#place) && await this.#isOurs()) return;
      await sleep(5);
    }
    throw new Error(`memcached did not start on ${this.address}: ${this.#errors.trim()}`);
  }

  /** Whether this process answers at the address, not another one that took the port first. */
  async #isOurs(): Promise<boolean> {
    if (!this.#open) return this.#child !== undefined;
    const reply = await this.ask("stats").catch(() => "");
    return this.#child !== undefined && reply.includes(`STAT pid ${this.pid}\r\n`);
  }

  #forget(): void {
    if (this.#child?.pid !== undefined) forget(this.#child.pid);
    this.#child = undefined;
    running.delete(this);
  }
}

/** Servers that somebody else runs, or that were started because nobody does. */
export interface BorrowedServers extends AsyncDisposable {
  readonly addresses: readonly string[];
  stop(): Promise<void>;
}

/**
 * Gives servers to talk to, but not to kill, flush or fill. They come from `$MEMCACHED_SERVERS` if it names at
 * least `count`, otherwise they are started. They may hold anything, so use your own keys.
 */
export async function borrowMemcached(count = 1): Promise<BorrowedServers> {
  const given = givenServers();
  if (given.length >= count) {
    const stop = (): Promise<void> => Promise.resolve();
    return { addresses: given.slice(0, count), stop, [Symbol.asyncDispose]: stop };
  }
  const servers = await startMany(count);
  const stop = async (): Promise<void> => {
    await Promise.all(servers.map((server) => server.stop()));
  };
  return { addresses: servers.map((server) => server.address), stop, [Symbol.asyncDispose]: stop };
}

/** Starts several servers at once. */
export function startMany(count: number, options: StartOptions = {}): Promise<MemcachedServer[]> {
  return Promise.all(Array.from({ length: count }, () => startMemcached(options)));
}

/** Finds a port on which nobody listens now, outside the range that the kernel gives to clients. */
export async function freePort(host = "127.0.0.1"): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 22_000);
    const probe = createServer();
    const free = await new Promise<boolean>((resolve) => {
      probe.once("error", () => resolve(false));
      probe.listen(port, host, () => resolve(true));
    });
    if (!free) continue;
    await new Promise((resolve) => probe.close(resolve));
    return port;
  }
}

async function choosePlace({ host = "127.0.0.1", port, unixPath }: StartOptions): Promise<Place> {
  if (unixPath !== undefined) return { kind: "unix", path: unixPath };
  return { kind: "tcp", host, port: port ?? await freePort(host) };
}

function dial(place: Place): Socket {
  return place.kind === "unix" ? connect(place.path) : connect(place.port, place.host);
}

function accepts(place: Place): Promise<boolean> {
  const socket = dial(place);
  return new Promise((resolve) => {
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
  }).finally(() => socket.destroy()) as Promise<boolean>;
}

function ask(place: Place, line: string, last: RegExp): Promise<string> {
  const socket = dial(place);
  let text = "";
  const answered = new Promise<string>((resolve, reject) => {
    socket.setEncoding("latin1").on("data", (part: string) => {
      text += part;
      if (last.test(text)) resolve(text);
    });
    socket.once("error", reject).once("close", () => reject(new Error("closed"))).setTimeout(
      2_000,
      () => reject(new Error("no answer")),
    );
    socket.write(`${line}\r\n`);
  });
  return answered.finally(() => socket.destroy());
}
