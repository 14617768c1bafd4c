/** The classic dialect: `get` and its variants, the storage commands, `incr`, `touch`, `delete`. */
import { endsLine } from "./block.ts";
import { addDelta, storeItem, type StoreMode, type StoreResult } from "./changes.ts";
import { Item } from "./item.ts";
import { tokenize } from "./line.ts";
import type { Refusal } from "./item_store.ts";
import { parseInt32, parseUint32, parseUint64 } from "./numbers.ts";
import type { ServerState } from "./state.ts";
import { BAD_FORMAT, type Command, MAX_KEY, MAX_LENGTH, takeNoreply, type Turn } from "./turn.ts";

const BAD_EXPTIME = "CLIENT_ERROR invalid exptime argument";

/** The replies that refuse an item that does not fit. */
export const NO_ROOM = {
  too_large: "SERVER_ERROR object too large for cache",
  out_of_memory: "SERVER_ERROR out of memory storing object",
  out_of_memory_reading: "SERVER_ERROR Out of memory during read",
} as const;

/** The replies that refuse an increment or decrement. */
export const NO_DELTA = {
  non_numeric: "CLIENT_ERROR cannot increment or decrement non-numeric value",
  out_of_memory: "SERVER_ERROR out of memory",
} as const;

interface Retrieval {
  readonly withCas: boolean;
  /** Whether the first argument is an exptime, which is set on every item that is found. */
  readonly touch: boolean;
}

/** Matches a token that is too long for a key. */
const LONG_KEY = new RegExp(`[^ ]{${MAX_KEY + 1}}`);

function retrieve(
  { withCas, touch }: Retrieval,
  turn: Turn,
  tokens: readonly string[],
  rest: string,
): void {
  const { state: { store, timeline, calls, counters: { totals } }, replies } = turn;
  const exptime = touch ? parseInt32(tokens[1]!) : 0;
  if (exptime === undefined) return replies.line(BAD_EXPTIME);
  const expiry = timeline.expiry(exptime);
  const refused = LONG_KEY.test(rest) || tokens.some((key) => key.length > MAX_KEY);

  let keys: readonly string[] = tokens.slice(touch ? 2 : 1);
  function step(): boolean {
    for (const key of keys) {
      if (key.length > MAX_KEY) {
        // memcached forgets everything that it has not sent yet, even replies to earlier commands.
        turn.drop();
        replies.begin();
        replies.line(BAD_FORMAT);
        return true;
      }
      totals[touch ? "cmd_touch" : "cmd_get"]++;
      const item = store.get(key);
      if (item === undefined) {
        totals[touch ? "touch_misses" : "get_misses"]++;
        continue;
      }
      totals[touch ? "touch_hits" : "get_hits"]++;
      store.bump(item);
      if (touch) item.exptime = expiry;
      if (refused) continue;
      const cas = withCas ? ` ${item.cas}` : "";
      replies.text(`VALUE ${key} ${item.flags} ${item.block.length - 2}${cas}\r\n`);
      replies.block(item.block);
      if (typeof item.block !== "string") turn.hold(item);
    }
    ({ tokens: keys, rest } = tokenize(rest));
    if (keys.length > 0) {
      calls.noteMore(tokens[0]!, keys);
      return false;
    }
    replies.text("END\r\n");
    turn.flush();
    return true;
  }
  if (!step()) turn.work(step);
}

const RESULTS: Record<StoreResult, string> = {
  stored: "STORED",
  exists: "EXISTS",
  not_found: "NOT_FOUND",
  not_stored: "NOT_STORED",
};

function update(mode: StoreMode, turn: Turn, tokens: readonly string[]): void {
  const { state, replies } = turn;
  takeNoreply(turn, tokens);
  const [, key = "", flagsText = "", exptimeText = "", lengthText = "", casText = ""] = tokens;
  // After a refused line the value is not skipped: it is read as commands, as in memcached.
  if (key.length > MAX_KEY) return replies.line(BAD_FORMAT);
  const flags = parseUint32(flagsText);
  const exptime = parseInt32(exptimeText);
  const length = parseInt32(lengthText);
  const cas = mode === "cas" ? parseUint64(casText) : 0n;
  if (
    flags === undefined || exptime === undefined || cas === undefined ||
    length === undefined || length < 0 || length > MAX_LENGTH
  ) {
    return replies.line(BAD_FORMAT);
  }

  const expiry = state.timeline.expiry(exptime);
  const refusal = state.store.refusal(key.length, flags, length + 2);
  if (refusal !== undefined) {
    replies.line(NO_ROOM[refusal]);
    turn.swallow(length + 2);
    return refuse(state, refusal, key, mode === "set");
  }
  turn.readBlock(length + 2, (block) => {
    state.counters.totals.cmd_set++;
    if (!endsLine(block)) return replies.line("CLIENT_ERROR bad data chunk");
    const item = new Item(key, flags, expiry, block);
    replies.line(RESULTS[storeItem(state, item, mode, cas).result]);
  });
}

/** Counts a value that does not fit. With `drop`, the item that it should have replaced is dropped. */
export function refuse(
  { store, counters: { totals } }: ServerState,
  refusal: Refusal,
  key: string,
  drop: boolean,
): void {
  if (refusal === "out_of_memory_reading") return;
  totals[refusal === "too_large" ? "store_too_large" : "store_no_memory"]++;
  const old = drop ? store.get(key) : undefined;
  if (old !== undefined) store.unlink(old);
}

function arithmetic(increment: boolean, turn: Turn, tokens: readonly string[]): void {
  const { state, replies } = turn;
  takeNoreply(turn, tokens);
  const [, key = "", deltaText = ""] = tokens;
  if (key.length > MAX_KEY) return replies.line(BAD_FORMAT);
  const delta = parseUint64(deltaText);
  if (delta === undefined) return replies.line("CLIENT_ERROR invalid numeric delta argument");
  const result = addDelta(state, key, increment, delta);
  switch (result.kind) {
    case "ok":
      return replies.line(result.value);
    case "non_numeric":
    case "out_of_memory":
      return replies.line(NO_DELTA[result.kind]);
    default:
      state.counters.totals[increment ? "incr_misses" : "decr_misses"]++;
      return replies.line("NOT_FOUND");
  }
}

function touch(turn: Turn, tokens: readonly string[]): void {
  const { state: { store, timeline, counters: { totals } }, replies } = turn;
  takeNoreply(turn, tokens);
  const [, key = "", exptimeText = ""] = tokens;
  if (key.length > MAX_KEY) return replies.line(BAD_FORMAT);
  const exptime = parseInt32(exptimeText);
  if (exptime === undefined) return replies.line(BAD_EXPTIME);
  totals.cmd_touch++;
  const item = store.get(key);
  totals[item === undefined ? "touch_misses" : "touch_hits"]++;
  if (item === undefined) return replies.line("NOT_FOUND");
  store.bump(item);
  item.exptime = timeline.expiry(exptime);
  replies.line("TOUCHED");
}

function remove(turn: Turn, tokens: readonly string[]): void {
  const { state: { store, counters: { totals } }, replies } = turn;
  const [, key = "", third] = tokens;
  if (third !== undefined) {
    // An old form has a time between key and noreply. Only 0 is still accepted.
    const silent = takeNoreply(turn, tokens);
    const valid = tokens.length === 3 ? third === "0" || silent : third === "0" && silent;
    if (!valid) return replies.line(`${BAD_FORMAT}.  Usage: delete <key> [noreply]`);
  }
  if (key.length > MAX_KEY) return replies.line(BAD_FORMAT);
  const item = store.get(key);
  totals[item === undefined ? "delete_misses" : "delete_hits"]++;
  if (item === undefined) return replies.line("NOT_FOUND");
  store.unlink(item);
  replies.line("DELETED");
}

const get = retrieve.bind(undefined, { withCas: false, touch: false });

function storage(name: StoreMode): Command {
  return {
    name,
    tokens: name === "cas" ? [6, 7] : [5, 6],
    keys: [1, false],
    length: 4,
    run: update.bind(undefined, name),
  };
}

/** The classic commands; protocol.txt, "Storage commands" to "Touch". */
export const CLASSIC_COMMANDS: readonly Command[] = [
  { name: "get", tokens: [2, Infinity], keys: [1, true], run: get },
  { name: "bget", tokens: [2, Infinity], keys: [1, true], run: get },
  {
    name: "gets",
    tokens: [2, Infinity],
    keys: [1, true],
    run: retrieve.bind(undefined, { withCas: true, touch: false }),
  },
  {
    name: "gat",
    tokens: [2, Infinity],
    keys: [2, true],
    run: retrieve.bind(undefined, { withCas: false, touch: true }),
  },
  {
    name: "gats",
    tokens: [2, Infinity],
    keys: [2, true],
    run: retrieve.bind(undefined, { withCas: true, touch: true }),
  },
  ...(["set", "add", "replace", "append", "prepend", "cas"] as const).map(storage),
  { name: "incr", tokens: [3, 4], keys: [1, false], run: arithmetic.bind(undefined, true) },
  { name: "decr", tokens: [3, 4], keys: [1, false], run: arithmetic.bind(undefined, false) },
  { name: "touch", tokens: [3, 4], keys: [1, false], run: touch },
  { name: "delete", tokens: [2, 4], keys: [1, false], run: remove },
];
