/** `ms`, the meta dialect's only storage command. */
import { type Block, endsLine } from "./block.ts";
import { storeItem, type StoreMode, type StoreResult } from "./changes.ts";
import { NO_ROOM, refuse as noteRefusal } from "./classic_commands.ts";
import { Item } from "./item.ts";
import { MAX_META_TOKENS } from "./meta_commands.ts";
import {
  isOversizedOpaque,
  keyReply,
  type MetaFlags,
  OPAQUE_TOO_LONG,
  parseMetaFlags,
} from "./meta_flags.ts";
import { parseInt32 } from "./numbers.ts";
import { BAD_FORMAT, type Command, MAX_KEY, MAX_LENGTH, type Turn } from "./turn.ts";

const MODES: Record<string, StoreMode> = {
  "": "set",
  S: "set",
  E: "add",
  A: "append",
  P: "prepend",
  R: "replace",
};

const RESULTS: Record<StoreResult, string> = {
  stored: "HD",
  exists: "EX",
  not_found: "NF",
  not_stored: "NS",
};

function metaSet(turn: Turn, tokens: readonly string[]): void {
  const { state, replies } = turn;
  const [, key = "", lengthText] = tokens;
  if (key.length > MAX_KEY || lengthText === undefined) return replies.line(BAD_FORMAT);
  if (tokens.length > MAX_META_TOKENS) return replies.line("CLIENT_ERROR options flags too long");
  const length = parseInt32(lengthText);
  if (length === undefined || length < 0 || length > MAX_LENGTH) return replies.line(BAD_FORMAT);

  // From here on the length of the value is known, so a refusal also skips the value.
  function refuse(reason: string): void {
    replies.line(reason);
    turn.swallow(length as number + 2);
  }
  const flags = parseMetaFlags(key, tokens.slice(3), state.timeline);
  if (typeof flags === "string") return refuse(flags);
  let mode = Object.hasOwn(MODES, flags.mode) ? MODES[flags.mode] : undefined;
  if (mode === undefined) return refuse("CLIENT_ERROR invalid mode for ms M token");
  // With a version, set and replace become cas. append and prepend check the version, add ignores it.
  if (flags.cas !== undefined && (mode === "set" || mode === "replace")) mode = "cas";
  if (flags.tokens.some(isOversizedOpaque)) return refuse(OPAQUE_TOO_LONG);

  const refusal = state.store.refusal(flags.key.length, flags.clientFlags, length + 2);
  if (refusal !== undefined) {
    noteRefusal(state, refusal, flags.key, true);
    // Quiet hides only a failure that happens while the value is read.
    replies.noreply = refusal === "out_of_memory_reading" && flags.quiet;
    return refuse(NO_ROOM[refusal]);
  }
  turn.readBlock(length + 2, (block) => finish(turn, flags, mode, block));
}

function finish(
  { state, replies }: Turn,
  flags: MetaFlags,
  mode: StoreMode,
  block: Block,
): void {
  state.counters.totals.cmd_set++;
  if (!endsLine(block)) return replies.line("CLIENT_ERROR bad data chunk");
  const item = new Item(flags.key, flags.clientFlags, flags.expiry ?? 0, block);
  item.binaryKey = flags.binaryKey;
  const { result, cas } = storeItem(
    state,
    item,
    mode,
    flags.cas,
    flags.invalidate && mode === "cas",
  );
  if (flags.quiet && result === "stored") return;
  let text = RESULTS[result];
  for (const token of flags.tokens) {
    if (token[0] === "O") text += ` ${token}`;
    else if (token[0] === "k") text += keyReply(flags.key, flags.binaryKey);
    else if (token[0] === "c") text += ` c${cas}`;
  }
  replies.line(text);
}

/** `ms`. */
export const META_SET: Command = {
  name: "ms",
  tokens: [2, Infinity],
  keys: [1, false],
  length: 2,
  run: metaSet,
};
