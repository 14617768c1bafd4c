/** Commands about the server rather than about a key; protocol.txt, "Other commands". */
import { slabClass } from "./item.ts";
import { ITEMS_A_STEP } from "./item_store.ts";
import { describe } from "./metadump.ts";
import { parseInt32, parseUint32 } from "./numbers.ts";
import { BAD_FORMAT, type Command, takeNoreply, type Turn } from "./turn.ts";

/** The version of memcached that this server imitates. */
export const VERSION = "1.6.18";

function flushAll(turn: Turn, tokens: readonly string[]): void {
  const { state, replies } = turn;
  const silent = takeNoreply(turn, tokens);
  state.counters.totals.cmd_flush++;
  if (!state.settings.flush) return replies.line("CLIENT_ERROR flush_all not allowed");
  const delay = tokens.length === (silent ? 2 : 1) ? 0 : parseInt32(tokens[1]!);
  if (delay === undefined) return replies.line("CLIENT_ERROR invalid exptime argument");
  state.store.flush(delay);
  replies.line("OK");
}

function verbosity(turn: Turn, tokens: readonly string[]): void {
  takeNoreply(turn, tokens);
  const level = parseUint32(tokens[1]!);
  if (level === undefined) return turn.replies.line(BAD_FORMAT);
  turn.state.verbosity = Math.min(level, 2);
  turn.replies.line("OK");
}

const MEGABYTE = 1024 * 1024;

function memoryLimit(turn: Turn, tokens: readonly string[]): void {
  const { state, replies } = turn;
  takeNoreply(turn, tokens);
  const megabytes = parseUint32(tokens[1]!);
  if (megabytes === undefined) return replies.line("ERROR");
  if (megabytes < 8) {
    return replies.line("MEMLIMIT_TOO_SMALL cannot set maxbytes to less than 8m");
  }
  if (megabytes > 1_000_000_000) {
    return replies.line("MEMLIMIT_ADJUST_FAILED input value is megabytes not bytes");
  }
  state.limits.memory = megabytes * MEGABYTE;
  replies.line("OK");
}

const SLAB_CLASSES = 64;

/** Reads `all`, `hash` or a list of slab classes as a choice of items; undefined if a class does not exist. */
function chooseClasses(text: string): ((slab: number) => boolean) | undefined {
  if (text === "all" || text === "hash") return () => true;
  const ids = text.split(",").filter((part) => part !== "").map(parseUint32);
  if (ids.some((id) => id === undefined || id < 1 || id >= SLAB_CLASSES)) return undefined;
  return (slab) => ids.includes(slab);
}

function crawler(turn: Turn, tokens: readonly string[]): void {
  const { state, replies } = turn;
  const [, verb, argument] = tokens;
  if (tokens.length === 2 && (verb === "enable" || verb === "disable")) {
    const enable = verb === "enable";
    if (enable && state.crawler) return replies.line("ERROR failed to start lru crawler thread");
    state.crawler = enable;
    return replies.line("OK");
  }
  if (tokens.length !== 3) return replies.line("ERROR");
  switch (verb) {
    case "metadump":
    case "crawl":
      return crawl(turn, verb, argument!);
    case "tocrawl":
    case "sleep": {
      // Here the crawler runs at once, so there is no pace to set.
      const number = parseUint32(argument!);
      if (number === undefined) return replies.line(BAD_FORMAT);
      const tooLong = verb === "sleep" && number > 1_000_000;
      return replies.line(tooLong ? "CLIENT_ERROR sleep must be one second or less" : "OK");
    }
    default:
      return replies.line("ERROR");
  }
}

function crawl(turn: Turn, verb: "metadump" | "crawl", argument: string): void {
  const { state, replies } = turn;
  const { store } = state;
  if (!state.crawler) return replies.line("CLIENT_ERROR lru crawler disabled");
  if (verb === "metadump" && !state.settings.dump) {
    return replies.line("ERROR metadump not allowed");
  }
  if (verb === "metadump" && replies.behindOthers) {
    return replies.line("ERROR cannot pipeline other commands before metadump");
  }
  const chosen = chooseClasses(argument);
  if (chosen === undefined) return replies.line("BADCLASS invalid class id");
  if (argument.replaceAll(",", "") === "") return replies.line("NOTSTARTED no items to crawl");
  if (verb === "crawl" && argument === "hash") {
    return replies.line("ERROR an unknown error happened");
  }
  const dump = verb === "metadump";
  state.counters.totals.lru_crawler_starts++;
  let bucket: number | undefined = 0;
  turn.work(() => {
    bucket = store.visit(bucket!, ITEMS_A_STEP, (item) => {
      if (!chosen(slabClass(store.sizeOf(item)))) return;
      if (dump) replies.text(describe(state, item));
      else store.crawl(item);
    });
    if (bucket !== undefined) return false;
    replies.text(dump ? "END\r\n" : "OK\r\n");
    return true;
  });
}

/** What ElastiCache answers on each node and on the configuration endpoint; memcached has no such command. */
function config(turn: Turn, tokens: readonly string[]): void {
  const { cluster } = turn.state;
  if (tokens[1] !== "get" || tokens[2] !== "cluster" || cluster === undefined) {
    return turn.replies.line("ERROR");
  }
  turn.replies.text(`CONFIG cluster 0 ${cluster.length}\r\n${cluster}\r\nEND\r\n`);
}

/** `flush_all`, `version`, `quit` and the rest. */
export const ADMIN_COMMANDS: readonly Command[] = [
  { name: "flush_all", tokens: [1, 3], run: flushAll },
  {
    name: "version",
    tokens: [1, Infinity],
    run: ({ replies }) => replies.line(`VERSION ${VERSION}`),
  },
  { name: "config", tokens: [3, 3], run: config },
  { name: "verbosity", tokens: [2, 3], run: verbosity },
  { name: "cache_memlimit", tokens: [2, 3], run: memoryLimit },
  { name: "lru_crawler", tokens: [1, Infinity], run: crawler },
  {
    name: "quit",
    tokens: [1, Infinity],
    run: (turn) => {
      turn.flush();
      turn.close();
    },
  },
  // Commands about memcached's insides.
  ...["slabs", "lru"].map((name): Command => ({
    name,
    tokens: [1, Infinity],
    run: ({ replies }) =>
      replies.line(`CLIENT_ERROR ${name} is not supported by the embedded server`),
  })),
  // These answer as a server does that was started without -A and with -W.
  {
    name: "shutdown",
    tokens: [1, Infinity],
    run: ({ replies }) => replies.line("ERROR: shutdown not enabled"),
  },
  {
    name: "watch",
    tokens: [1, Infinity],
    run: (turn, tokens) => {
      takeNoreply(turn, tokens);
      turn.replies.line("CLIENT_ERROR watch commands not allowed");
    },
  },
];
