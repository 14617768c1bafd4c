/**
 * A disposable nutcracker (twemproxy) in front of memcached servers. It must be on PATH; Debian has a package of
 * that name.
 *
 *     const proxy = await startNutcracker([server]);
 *     t.after(() => proxy.stop());
 *     new Memcached(proxy.address);
 *
 * It passes the classic dialect on, `version` included, and closes the connection on any command that
 * it does not know: mn, gat, stats, flush_all, lru_crawler.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { findProgram } from "./find_memcached.ts";
import { freePort } from "./memcached.ts";

/** How long it may take until it accepts connections, in ms. */
const START_LIMIT = 10_000;

const running = new Set<Nutcracker>();
process.on("exit", () => {
  for (const proxy of running) proxy.kill();
});

/** Starts a proxy that waits `timeout` ms for these servers, or for ever. Resolves when it accepts connections. */
export async function startNutcracker(
  servers: readonly { readonly host: string; readonly port: number }[],
  timeout: number | "for ever" = 2_000,
): Promise<Nutcracker> {
  const program = findProgram("nutcracker") ?? findProgram("/usr/sbin/nutcracker");
  if (program === undefined) {
    throw new Error("No nutcracker was found; install it by: apt-get install nutcracker");
  }
  const proxy = new Nutcracker(program, servers, timeout, await freePort(), await freePort());
  const limit = Date.now() + START_LIMIT;
  while (Date.now() < limit && !await accepts(proxy.port)) {
    if (proxy.gone) throw new Error(`nutcracker did not start: ${proxy.errors}`);
    await sleep(5);
  }
  return proxy;
}

/** Use startNutcracker. */
export class Nutcracker implements AsyncDisposable {
  readonly port: number;
  /** Its output, for a test that fails. */
  errors = "";
  gone = false;
  readonly #child: ChildProcess;
  readonly #folder: string;

  constructor(
    program: string,
    servers: readonly { readonly host: string; readonly port: number }[],
    timeout: number | "for ever",
    port: number,
    statsPort: number,
  ) {
    this.port = port;
    this.#folder = mkdtempSync(join(tmpdir(), "memwire-nutcracker-"));
    const file = (name: string): string => join(this.#folder, name);
    writeFileSync(
      file("conf.yml"),
      [
        "pool:",
        `  listen: 127.0.0.1:${port}`,
        "  hash: md5",
        "  distribution: ketama",
        ...(timeout === "for ever" ? [] : [`  timeout: ${timeout}`]),
        "  auto_eject_hosts: false",
        "  servers:",
        ...servers.map((server) => `   - ${server.host}:${server.port}:1`),
        "",
      ].join("\n"),
    );
    const places = ["-c", file("conf.yml"), "-p", file("pid"), "-a", "127.0.0.1"];
    this.#child = spawn(program, [...places, "-s", String(statsPort), "-v", "4"], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    running.add(this);
    const { stderr } = this.#child;
    stderr?.setEncoding("utf8").on("data", (text: string) => this.errors += text);
    const over = (): void => {
      this.gone = true;
      running.delete(this);
    };
    this.#child.once("exit", over).once("error", over);
    // It does not keep a test alive that forgets to stop it.
    this.#child.unref();
    (stderr as Socket | null)?.unref?.();
  }

  /** "127.0.0.1:port", for the client. */
  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Kills it by SIGKILL, without waiting for its end. */
  kill(): void {
    if (!this.gone) this.#child.kill("SIGKILL");
  }

  async stop(): Promise<void> {
    if (!this.gone) {
      this.#child.ref();
      const exit = once(this.#child, "exit");
      this.kill();
      await exit;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

function accepts(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  return new Promise<boolean>((resolve) => {
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
  }).finally(() => socket.destroy());
}
