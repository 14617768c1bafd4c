/**
 * Makes the command line that starts one memcached, as a program or in a container.
 */
import { spawnSync } from "node:child_process";
import { dirname } from "node:path";
import process from "node:process";
import { DOCKER_IMAGE, type MemcachedSource } from "./find_memcached.ts";

/** The options of a server. */
export interface StartOptions {
  /** More options of memcached's command line: `["-I", "2m"]`, for example. */
  readonly args?: readonly string[];
  /** The port. Default: a free one. */
  readonly port?: number;
  /** The interface to listen on. Default "127.0.0.1". */
  readonly host?: string;
  /** Listens on this unix socket instead of a port. */
  readonly unixPath?: string;
  /** The paths of PEM files for TLS. `ca` makes the server ask for client certificates. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca?: string };
  /** The user for the text protocol's authentication (`-Y`). */
  readonly auth?: { readonly username: string; readonly password: string };
}

/** Where a server listens. */
export type Place =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };

/** A command that runs a server in the foreground. */
export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  /** Sends a signal to a server that is not the command's own process. */
  readonly signal?: (name: string) => void;
}

/** memcached itself. */
export function programCommand(path: string, options: PlacedOptions): Command {
  const { place } = options;
  const where = place.kind === "unix"
    ? ["-s", place.path]
    : ["-l", place.host, "-p", String(place.port), "-U", "0"];
  return { file: path, args: [...where, ...commonArguments(options)] };
}

/** The official image, with the port published and the folders of all files mounted. */
export function dockerCommand(docker: string, options: PlacedOptions): Command {
  const { place } = options;
  const name = `memwire-test-${process.pid}-${Math.random().toString(36).slice(2, 10)}`;
  const files = [options.tls?.cert, options.tls?.key, options.tls?.ca, options.authFile];
  const folders = new Set(files.filter((file) => file !== undefined).map((file) => dirname(file)));
  const where = place.kind === "unix" ? ["-s", place.path] : ["-l", "0.0.0.0", "-p", "11211"];
  const args = ["run", "--rm", "--init", "--name", name];
  if (process.getuid !== undefined) args.push("--user", `${process.getuid()}`);
  if (place.kind === "unix") folders.add(dirname(place.path));
  else args.push("--publish", `${bracketed(place.host)}:${place.port}:11211`);
  for (const folder of folders) args.push("--volume", `${folder}:${folder}`);
  args.push(DOCKER_IMAGE, "memcached", ...where, ...commonArguments(options));
  const signal = (sent: string): void => {
    const verb = { SIGSTOP: ["pause"], SIGCONT: ["unpause"] }[sent] ?? ["kill", "--signal", sent];
    spawnSync(docker, [...verb, name]);
  };
  return { file: docker, args, signal };
}

/** Returns the command for a server from this source. */
export function memcachedCommand(source: MemcachedSource, options: PlacedOptions): Command {
  const build = source.kind === "docker" ? dockerCommand : programCommand;
  return build(source.path, options);
}

/** StartOptions with the choices that the starter has made. */
export type PlacedOptions = StartOptions & {
  readonly place: Place;
  readonly authFile: string | undefined;
};

function commonArguments({ args = [], tls, authFile }: PlacedOptions): string[] {
  const common = ["-t", "2"];
  if (process.getuid?.() === 0) common.push("-u", "root"); // it refuses to run as root unless told to
  if (tls !== undefined) {
    const client = tls.ca === undefined ? "" : `,ssl_ca_cert=${tls.ca},ssl_verify_mode=2`;
    common.push("-Z", "-o", `ssl_chain_cert=${tls.cert},ssl_key=${tls.key}${client}`);
  }
  if (authFile !== undefined) common.push("-Y", authFile);
  return [...common, ...args];
}

function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}
