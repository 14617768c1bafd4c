/** The commands of the meta dialect except `ms`: `mg`, `md`, `ma`, `me`, `mn`. */
import { decodeBase64, encodeBase64 } from "./base64_key.ts";
import { addDelta, isVersion, numberBlock, storeItem } from "./changes.ts";
import { NO_DELTA } from "./classic_commands.ts";
import { Item, slabClass } from "./item.ts";
import {
  echoes,
  isOversizedOpaque,
  keyReply,
  type MetaFlags,
  OPAQUE_TOO_LONG,
  parseMetaFlags,
} from "./meta_flags.ts";
import { BAD_FORMAT, type Command, MAX_KEY, type Turn } from "./turn.ts";

/** The most tokens that a meta command may have: name, key and flags. */
export const MAX_META_TOKENS = 19;

const BAD_FLAG = "CLIENT_ERROR invalid or duplicate flag";

const NO_VALUE = "\r\n";

/** The seconds until an item expires, as memcached prints them: unsigned (so below 0 they wrap), -1 for never. */
function remaining(item: Item, now: number): string {
  return item.exptime === 0 ? "-1" : `${(item.exptime - now) >>> 0}`;
}

function metaGet(turn: Turn, tokens: readonly string[]): void {
  const { state: { store, timeline, counters: { totals } }, replies } = turn;
  const key = tokens[1]!;
  if (key.length > MAX_KEY) return replies.line(BAD_FORMAT);
  if (tokens.length > MAX_META_TOKENS) {
    return replies.line("CLIENT_ERROR options flags are too long");
  }
  const flags = parseMetaFlags(key, tokens.slice(2), timeline);
  if (typeof flags === "string") return replies.line(flags);

  let item = store.get(flags.key);
  if (item !== undefined && !flags.noteLate && !flags.unnoticed) store.bump(item);
  const vivified = item === undefined && flags.vivify !== undefined;
  if (vivified && store.refusal(flags.key.length, 0, 2) === undefined) {
    item = new Item(flags.key, 0, 0, NO_VALUE);
    store.link(item);
  }
  if (item === undefined) {
    totals.cmd_get++;
    totals.get_misses++;
    if (flags.tokens.some(isOversizedOpaque)) return replies.line(OPAQUE_TOO_LONG);
    if (!flags.quiet) replies.text(`EN${echoes(flags)}\r\n`);
    return;
  }

  const attributes = showAndTouch(item, flags, vivified, timeline.now);
  if (attributes === undefined) return replies.line(OPAQUE_TOO_LONG);
  replies.text(flags.value ? `VA ${item.block.length - 2}` : "HD");
  replies.text(`${attributes}\r\n`);
  if (flags.value) replies.block(item.block);
  turn.hold(item);
  if (flags.noteLate && !flags.unnoticed) store.bump(item);
  const touched = flags.expiry !== undefined;
  totals[touched ? "cmd_touch" : "cmd_get"]++;
  totals[touched ? "touch_hits" : "get_hits"]++;
}

/**
 * Answers the flags of an `mg` in their order, so `t` before `T` shows the old time. Returns undefined if an
 * opaque is too long; the flags before it have taken effect then.
 */
function showAndTouch(
  item: Item,
  flags: MetaFlags,
  vivified: boolean,
  now: number,
): string | undefined {
  let text = "";
  let won = false;
  for (const token of flags.tokens) {
    if (isOversizedOpaque(token)) return undefined;
    switch (token[0]) {
      case "T":
        item.exptime = flags.expiry!;
        break;
      case "N":
        if (vivified) {
          item.exptime = flags.vivify!;
          won = true;
        }
        break;
      case "R": {
        const expiresSoon = item.exptime !== 0 && item.exptime < flags.recache!;
        if (expiresSoon && !item.tokenSent && !vivified) won = true;
        break;
      }
      case "s":
        text += ` s${item.block.length - 2}`;
        break;
      case "t":
        text += ` t${remaining(item, now)}`;
        break;
      case "c":
        text += ` c${item.cas}`;
        break;
      case "f":
        text += ` f${item.flags}`;
        break;
      case "l":
        text += ` l${(now - item.time) >>> 0}`;
        break;
      case "h":
        text += item.fetched ? " h1" : " h0";
        break;
      case "O":
        text += ` ${token}`;
        break;
      case "k":
        text += keyReply(item.key, item.binaryKey);
        break;
    }
  }
  if (item.tokenSent) text += " Z";
  if (item.stale) {
    text += " X";
    won ||= !item.tokenSent;
  }
  if (won) {
    text += " W";
    item.tokenSent = true;
  }
  return text;
}

/** Reads the key and the flags of an `md` or `ma`; undefined if they were refused. */
function readFlags({ state, replies }: Turn, tokens: readonly string[]): MetaFlags | undefined {
  const key = tokens[1]!;
  if (key.length > MAX_KEY) {
    replies.line(BAD_FORMAT);
    return undefined;
  }
  if (tokens.length > MAX_META_TOKENS) {
    replies.line("CLIENT_ERROR options flags too long");
    return undefined;
  }
  const flags = parseMetaFlags(key, tokens.slice(2), state.timeline);
  if (typeof flags !== "string") return flags;
  replies.line(BAD_FLAG);
  return undefined;
}

function metaDelete(turn: Turn, tokens: readonly string[]): void {
  const { state: { store, counters: { totals } }, replies } = turn;
  const flags = readFlags(turn, tokens);
  if (flags === undefined) return;
  if (flags.tokens.some(isOversizedOpaque)) return replies.line(OPAQUE_TOO_LONG);
  const item = store.get(flags.key);
  if (item === undefined || (flags.cas !== undefined && !isVersion(item, flags.cas))) {
    totals.delete_misses++;
    return replies.line(`${item === undefined ? "NF" : "EX"}${echoes(flags)}`);
  }
  if (flags.invalidate) {
    if (flags.expiry !== undefined) item.exptime = flags.expiry;
    item.stale = true;
    item.tokenSent = false;
    item.cas = store.nextCas();
  } else {
    totals.delete_hits++;
    store.unlink(item);
  }
  if (!flags.quiet) replies.line(`HD${echoes(flags)}`);
}

/** The modes of `ma`, and whether each counts up. */
const MA_MODES: Record<string, boolean> = { "": true, I: true, "+": true, D: false, "-": false };

function metaArithmetic(turn: Turn, tokens: readonly string[]): void {
  const { state, replies } = turn;
  const { store, timeline, counters: { totals } } = state;
  const flags = readFlags(turn, tokens);
  if (flags === undefined) return;
  const increment = Object.hasOwn(MA_MODES, flags.mode) ? MA_MODES[flags.mode] : undefined;
  if (increment === undefined) return replies.line("CLIENT_ERROR invalid mode for ma M token");

  const result = addDelta(state, flags.key, increment, flags.delta, flags.cas);
  if (result.kind === "non_numeric" || result.kind === "out_of_memory") {
    return replies.line(NO_DELTA[result.kind]);
  }
  const vivified = result.kind === "not_found" && flags.vivify !== undefined;
  if (result.kind === "not_found" && !vivified) totals[increment ? "incr_misses" : "decr_misses"]++;
  if (result.kind !== "ok" && !vivified) {
    if (flags.tokens.some(isOversizedOpaque)) return replies.line(OPAQUE_TOO_LONG);
    return replies.line(`${result.kind === "not_found" ? "NF" : "EX"}${echoes(flags)}`);
  }

  const value = result.kind === "ok" ? result.value : flags.initial.toString();
  let item: Item;
  if (result.kind === "ok") {
    item = result.item;
  } else {
    const block = numberBlock(value);
    if (store.refusal(flags.key.length, 0, block.length) !== undefined) {
      return replies.line("SERVER_ERROR Out of memory allocating new item");
    }
    item = new Item(flags.key, 0, 0, block);
    storeItem(state, item, "add");
  }

  let text = flags.value ? `VA ${value.length}` : "HD";
  for (const token of flags.tokens) {
    // By now the number has changed, whatever the answer is.
    if (isOversizedOpaque(token)) return replies.line(OPAQUE_TOO_LONG);
    switch (token[0]) {
      case "c":
        text += ` c${item.cas}`;
        break;
      case "t":
        text += ` t${remaining(item, timeline.now)}`;
        break;
      case "T":
        item.exptime = flags.expiry!;
        break;
      case "N":
        if (vivified) item.exptime = flags.vivify!;
        break;
      case "O":
        text += ` ${token}`;
        break;
      case "k":
        text += keyReply(flags.key, flags.binaryKey);
        break;
    }
  }
  // Quiet hides the reply for a number that existed, but not for one that was created.
  if (flags.quiet && !vivified) return;
  replies.text(flags.value ? `${text}\r\n${value}\r\n` : `${text}\r\n`);
}

/** `me`: shows people what the server knows about an item. */
function metaDebug({ state, replies }: Turn, tokens: readonly string[]): void {
  const { store, timeline: { now }, counters } = state;
  if (tokens.length < 2 || tokens[1]!.length > MAX_KEY) return replies.line(BAD_FORMAT);
  const key = tokens[2] === "b" ? decodeBase64(tokens[1]!) : tokens[1];
  if (key === undefined) return replies.line(BAD_FORMAT);
  counters.totals.cmd_meta++;
  const item = store.get(key);
  if (item === undefined) return replies.line("EN");
  const size = store.sizeOf(item);
  replies.line([
    "ME",
    item.binaryKey ? encodeBase64(item.key) : item.key,
    `exp=${item.exptime === 0 ? -1 : (now - item.exptime) | 0}`,
    `la=${(now - item.time) >>> 0}`,
    `cas=${item.cas}`,
    `fetch=${item.fetched ? "yes" : "no"}`,
    `cls=${slabClass(size)}`,
    `size=${size}`,
  ].join(" "));
}

function metaNoop(turn: Turn): void {
  turn.replies.line("MN");
  turn.flush();
}

/** `mg`, `md`, `ma`, `me` and `mn`. */
export const META_COMMANDS: readonly Command[] = [
  { name: "mg", tokens: [2, Infinity], keys: [1, false], run: metaGet },
  { name: "md", tokens: [2, Infinity], keys: [1, false], run: metaDelete },
  { name: "ma", tokens: [2, Infinity], keys: [1, false], run: metaArithmetic },
  { name: "me", tokens: [1, Infinity], keys: [1, false], run: metaDebug },
  { name: "mn", tokens: [1, Infinity], run: metaNoop },
];
