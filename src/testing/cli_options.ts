/** Reads the command line of `memwire`: memcached's own options, as far as they mean something here. */
import { DEFAULT_PORT } from "../address.ts";
import type { MemcachedServerOptions } from "./options.ts";
import type { Credentials } from "./settings.ts";
import type { WhereOptions } from "./where.ts";

/** What the command prints about itself. */
export const USAGE: string = `Usage: memwire serve [options]
       memwire where <key> --servers <list> [--hashing <name>] [--json]

serve starts a memcached in this process, for development and tests: nothing is kept when it stops.
The options are memcached's own.

  -p, --port <number>        TCP port, 0 for a free one (default ${DEFAULT_PORT})
  -l, --listen <host>        interface to listen on (default 127.0.0.1)
  -s, --unix-socket <path>   unix socket, instead of port and interface
  -m, --memory-limit <MB>    memory for items, in megabytes (default 64)
  -I, --max-item-size <n>    largest item, in bytes or with k or m (default 1m)
  -c, --conn-limit <number>  connections at a time (default 1024)
  -M, --disable-evictions    refuse items that do not fit, instead of making room
  -C, --disable-cas          keep no version tokens
  -F, --disable-flush-all    refuse flush_all
  -X, --disable-dumping      refuse lru_crawler metadump
  -Y, --auth-file <path>     ask clients for a name and password: lines of name:password
  -Z, --enable-ssl           speak TLS, with the next two
  -o ssl_chain_cert=<path>,ssl_key=<path>
  -o idle_timeout=<seconds>  close connections that are silent for so long
  -h, --help                 show this help

Accepted, but without effect here: -a -b -B ascii -f -k -L -n -r -R -t -u -U 0 -v -W, and the -o options for
threads, slabs, hashing and logging.

where prints the server that holds a key, and behind it those that take its place while it is down. It asks
nobody.

  --servers <list>           the servers as the client has them: "10.0.0.1,10.0.0.2:11212", or a JSON
                             array if there are weights or ids: [["10.0.0.1",2],{"host":"b","id":"c"}]
  --hashing <name>           the client's hashing (default ketama)
  --json                     print an object instead of lines
`;

/** The options of a server, some of them as files that are still to be read. */
export interface ServeOptions extends Omit<MemcachedServerOptions, "auth" | "tls"> {
  /** A file with names and passwords. */
  readonly authFile?: string;
  /** Files with a certificate and its private key. */
  readonly tlsFiles?: { readonly cert: string; readonly key: string };
}

/** What a command line asks for. */
export type CliRequest =
  | { readonly kind: "serve"; readonly options: ServeOptions }
  | { readonly kind: "where"; readonly options: WhereOptions }
  | { readonly kind: "help" }
  | { readonly kind: "mistake"; readonly message: string };

/** One of memcached's options. */
interface Option {
  readonly letter: string;
  readonly name: string;
  /** Whether a value follows. */
  readonly value: boolean;
}

function flags(list: string, value: boolean): Option[] {
  return list.trim().split(/\s+/).map((word) => {
    const [letter = "", name = ""] = word.split(":");
    return { letter, name, value };
  });
}

/** All options of memcached 1.6.18. */
const OPTIONS: readonly Option[] = [
  ...flags(
    `p:port l:listen s:unix-socket m:memory-limit I:max-item-size c:conn-limit Y:auth-file o:extended
     a:unix-mask b:listen-backlog B:protocol f:slab-growth-factor n:slab-min-size R:max-reqs-per-event
     t:threads u:user U:udp-port D:delimiter P:pidfile e:memory-file`,
    true,
  ),
  ...flags(
    `M:disable-evictions C:disable-cas F:disable-flush-all X:disable-dumping Z:enable-ssl h:help
     k:lock-memory L:enable-largepages r:enable-coredumps v:verbose W:disable-watch
     A:enable-shutdown d:daemon S:enable-sasl i:license V:version`,
    false,
  ),
];

/** Options that change nothing that can be seen here. */
const HARMLESS = new Set("a b f k L n r R t u v W".split(" "));

/** Names after `-o` that change nothing either. */
const HARMLESS_EXTENDED = new Set(
  `maxconns_fast hashpower tail_repair_time hash_algorithm lru_crawler lru_crawler_sleep
   lru_crawler_tocrawl read_buf_mem_limit lru_maintainer no_lru_maintainer hot_lru_pct warm_lru_pct
   hot_max_factor warm_max_factor temporary_ttl slab_chunk_max slab_reassign no_slab_reassign
   slab_automove no_slab_automove slab_automove_ratio slab_automove_window slab_automove_freeratio
   watcher_logbuf_size worker_logbuf_size no_hashexpand modern no_modern ssl_wbuf_size
   no_drop_privileges relaxed_privileges`.trim().split(/\s+/),
);

const MEGABYTE = 1024 * 1024;

/** A command line that makes no sense. */
class Mistake extends Error {}

/** Reads the arguments after the program's name. */
export function parseCommandLine(args: readonly string[]): CliRequest {
  try {
    if (args[0] === "where") return readWhere(args.slice(1));
    const { given, words } = readOptions(args);
    if (given.has("h") || args.length === 0) return { kind: "help" };
    if (words.length !== 1 || words[0] !== "serve") {
      throw new Mistake(`expected the command "serve" or "where", not "${words.join(" ")}"`);
    }
    return { kind: "serve", options: serveOptions(given) };
  } catch (error) {
    if (error instanceof Mistake) return { kind: "mistake", message: error.message };
    throw error;
  }
}

/** Reads the arguments after `where`. */
function readWhere(args: readonly string[]): CliRequest {
  let servers: string | undefined;
  let hashing = "ketama";
  let json = false;
  const keys: string[] = [];
  const rest = args.values();
  for (const arg of rest) {
    const [, name = "", value] = /^--([^=]+)(?:=(.*))?$/s.exec(arg) ?? [];
    const taken = (): string => {
      const text = value ?? rest.next().value;
      if (text === undefined) throw new Mistake(`--${name} needs a value`);
      return text;
    };
    if (arg === "-h" || arg === "--help") return { kind: "help" };
    if (arg === "--json") json = true;
    else if (name === "servers") servers = taken();
    else if (name === "hashing") hashing = taken();
    else if (name !== "" && arg !== "--") throw new Mistake(`where has no option --${name}`);
    // Behind "--" everything is a key, for one that begins with a dash.
    else if (arg === "--") keys.push(...rest);
    else keys.push(arg);
  }
  const [key] = keys;
  if (key === undefined || keys.length > 1) throw new Mistake("where needs one key");
  if (servers === undefined) throw new Mistake("where needs --servers");
  return { kind: "where", options: { key, servers, hashing, json } };
}

/** Values by letter. If an option is given twice, the last one counts, as in memcached; `-o` collects all. */
type Given = ReadonlyMap<string, string>;

/** Reads options as getopt_long does: `-p 1`, `-p1`, `-vvM`, `--port 1`, `--port=1`. */
function readOptions(args: readonly string[]): { given: Given; words: readonly string[] } {
  const given = new Map<string, string>();
  const words: string[] = [];
  const rest = args.values();
  const note = (option: Option, shown: string, value: string | undefined): void => {
    const taken = option.value ? value ?? rest.next().value : "";
    if (taken === undefined) throw new Mistake(`${shown} needs a value`);
    const before = option.letter === "o" ? given.get("o") : undefined;
    given.set(option.letter, before === undefined ? taken : `${before},${taken}`);
  };
  for (const arg of rest) {
    if (/^--./.test(arg)) {
      const [, name = "", value] = /^--([^=]*)(?:=(.*))?$/s.exec(arg)!;
      const option = OPTIONS.find((one) => one.name === name);
      if (option === undefined) throw new Mistake(`there is no option --${name}`);
      if (!option.value && value !== undefined) throw new Mistake(`--${name} takes no value`);
      note(option, `--${name}`, value);
    } else if (/^-./.test(arg)) {
      for (let at = 1; at < arg.length; at++) {
        const option = OPTIONS.find((one) => one.letter === arg[at]);
        if (option === undefined) throw new Mistake(`there is no option -${arg[at]}`);
        note(option, `-${arg[at]}`, arg.slice(at + 1) || undefined);
        if (option.value) break;
      }
    } else words.push(arg);
  }
  return { given, words };
}

function serveOptions(given: Given): ServeOptions {
  for (const letter of given.keys()) checkKnown(letter, given.get(letter)!);
  const extended = readExtended(given.get("o") ?? "");
  const path = given.get("s");
  if (path !== undefined && (given.has("p") || given.has("l"))) {
    throw new Mistake("--unix-socket cannot be combined with --port or --listen");
  }
  const memory = whole(given, "m", 64, 1, "not a number of megabytes") * MEGABYTE;
  const item = itemSize(given.get("I") ?? "1m", memory);
  const tlsFiles = tlsOf(given.has("Z"), extended);
  const authFile = given.get("Y");
  const idleTimeout = extended.get("idle_timeout");
  return {
    ...(path === undefined ? { host: hostOf(given), port: portOf(given) } : { path }),
    memoryLimit: memory,
    maxItemSize: item,
    ...(given.has("c") &&
      { maxConnections: whole(given, "c", 1024, 1, "not a number of connections") }),
    ...(given.has("M") && { outOfMemory: true }),
    ...(given.has("C") && { cas: false }),
    ...(given.has("F") && { flush: false }),
    ...(given.has("X") && { dump: false }),
    ...(idleTimeout !== undefined && { idleTimeout: seconds(idleTimeout) }),
    ...(authFile !== undefined && { authFile }),
    ...(tlsFiles !== undefined && { tlsFiles }),
  };
}

/** Refuses, by name, the options that memcached has and this server lacks. */
function checkKnown(letter: string, value: string): void {
  const { name } = OPTIONS.find((one) => one.letter === letter)!;
  if (letter === "B" && !["ascii", "auto", "auto-negotiate"].includes(value)) {
    throw new Mistake(
      `--protocol must be ascii, not ${value}: the embedded server speaks no other`,
    );
  }
  if (letter === "U" && value !== "0") {
    throw new Mistake(`--udp-port must be 0, not ${value}: the embedded server has no UDP`);
  }
  if (letter === "t" && !/^0*[1-9]/.test(value)) {
    throw new Mistake(`--threads must be at least 1, not ${value}`);
  }
  if (!HARMLESS.has(letter) && !"plsmIcYoBUMCFXZh".includes(letter)) {
    throw new Mistake(`--${name} (-${letter}) is not supported by the embedded server`);
  }
}

/** Reads the value of `-o` and keeps the parts that mean something here. */
function readExtended(text: string): Map<string, string> {
  const extended = new Map<string, string>();
  for (const part of text.split(",").filter((one) => one !== "")) {
    const [, name = "", value] = /^([^=]*)(?:=(.*))?$/s.exec(part)!;
    if (["idle_timeout", "ssl_chain_cert", "ssl_key"].includes(name)) {
      if (!value) throw new Mistake(`-o ${name} needs a value`);
      extended.set(name, value);
    } else if (!HARMLESS_EXTENDED.has(name)) {
      throw new Mistake(`-o ${name} is not supported by the embedded server`);
    }
  }
  return extended;
}

function tlsOf(enabled: boolean, extended: Map<string, string>): ServeOptions["tlsFiles"] {
  if (!enabled) return undefined;
  const cert = extended.get("ssl_chain_cert");
  const key = extended.get("ssl_key");
  if (cert === undefined || key === undefined) {
    throw new Mistake("--enable-ssl needs -o ssl_chain_cert=<path>,ssl_key=<path>");
  }
  return { cert, key };
}

function hostOf(given: Given): string {
  const host = given.get("l") ?? "127.0.0.1";
  if (host.includes(",")) throw new Mistake(`--listen ${host} names more than one interface`);
  return host;
}

function portOf(given: Given): number {
  const port = whole(given, "p", DEFAULT_PORT, 0, "not a port");
  if (port > 65_535) throw new Mistake(`--port ${given.get("p")} is not a port`);
  return port;
}

function whole(given: Given, letter: string, usual: number, least: number, not: string): number {
  const text = given.get(letter);
  if (text === undefined) return usual;
  const number = /^[0-9]{1,9}$/.test(text) ? Number(text) : -1;
  if (number >= least) return number;
  const { name } = OPTIONS.find((one) => one.letter === letter)!;
  throw new Mistake(`--${name} ${text} is ${not}`);
}

function seconds(text: string): number {
  if (!/^[0-9]{1,9}$/.test(text)) {
    throw new Mistake(`-o idle_timeout ${text} is not a number of seconds`);
  }
  return Number(text);
}

function itemSize(text: string, memory: number): number {
  const parts = /^([0-9]{1,10})([km]?)$/i.exec(text);
  const unit = parts?.[2]?.toLowerCase() === "m" ? MEGABYTE : parts?.[2] ? 1024 : 1;
  const size = parts === null ? 0 : Number(parts[1]) * unit;
  if (size < 1024 || size > 1024 * MEGABYTE) {
    throw new Mistake(`--max-item-size ${text} is not from 1k to 1024m`);
  }
  if (size > memory / 2) {
    throw new Mistake(`--max-item-size ${text} is more than half of --memory-limit`);
  }
  return size;
}

/** Reads the users of an authentication file, which has one character per byte. Throws if a line is malformed. */
export function parseUsers(text: string): Credentials[] {
  const lines = text.replace(/\r?\n$/, "").split(/\r?\n/);
  return lines.map((line, index) => {
    const colon = line.indexOf(":");
    if (colon < 0) {
      throw new Error(`line ${index + 1} of the authentication file is not name:password`);
    }
    return { username: line.slice(0, colon), password: line.slice(colon + 1) };
  });
}
