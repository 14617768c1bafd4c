/** Reads the flags of a meta command in the order of the request; protocol.txt, "Meta Commands". */
import { decodeBase64, encodeBase64 } from "./base64_key.ts";
import type { Timeline } from "./clock.ts";
import { parseInt32, parseUint32, parseUint64 } from "./numbers.ts";
import { BAD_FORMAT } from "./turn.ts";

/** What the flags of a meta command ask for. Each command uses the fields that mean something to it. */
export interface MetaFlags {
  /** The key, decoded if it came as base64. */
  key: string;
  /** `b`. */
  binaryKey: boolean;
  /** The flags as they were sent, for replies that depend on their order. */
  readonly tokens: readonly string[];
  /** `q`. */
  quiet: boolean;
  /** `v`. */
  value: boolean;
  /** `u`: the read does not count as a use of the item. */
  unnoticed: boolean;
  /** The read is noted after the reply was made, because a flag shows or changes what noting it would change. */
  noteLate: boolean;
  /** `I`. */
  invalidate: boolean;
  /** `N`, in relative seconds. */
  vivify: number | undefined;
  /** `R`, in relative seconds. */
  recache: number | undefined;
  /** `T`, in relative seconds. */
  expiry: number | undefined;
  /** `F`. */
  clientFlags: number;
  /** `C`. */
  cas: bigint | undefined;
  /** `M`; empty if there is none. */
  mode: string;
  /** `J`. */
  initial: bigint;
  /** `D`. */
  delta: bigint;
}

/** Flags without an argument that is read here, and flags that only some commands use. */
const PLAIN = new Set("OPLkstcfvhuqIl");

const BAD_TOKEN = "CLIENT_ERROR bad token in command line format";

/** Reads the flags, or returns a refusal as a string. Of several mistakes it reports the last one. */
export function parseMetaFlags(
  key: string,
  tokens: readonly string[],
  timeline: Timeline,
): MetaFlags | string {
  const letters = new Set(tokens.map((token) => token[0]!));
  const flags: MetaFlags = {
    key,
    tokens,
    binaryKey: letters.has("b"),
    quiet: letters.has("q"),
    value: letters.has("v"),
    unnoticed: letters.has("u"),
    noteLate: ["N", "T", "R", "l", "h"].some((letter) => letters.has(letter)),
    invalidate: letters.has("I"),
    vivify: undefined,
    recache: undefined,
    expiry: undefined,
    clientFlags: 0,
    cas: undefined,
    mode: "",
    initial: 0n,
    delta: 1n,
  };

  let failed = false;
  let refusal: string = BAD_FORMAT;
  /** Takes an argument that could be read, or else notes the refusal; without a reason the earlier one stays. */
  function take<T>(
    value: T | undefined,
    reason: string | undefined,
    set: (value: T) => void,
  ): void {
    if (value !== undefined) return set(value);
    failed = true;
    if (reason !== undefined) refusal = reason;
  }
  function time(argument: string): number | undefined {
    const exptime = parseInt32(argument);
    return exptime === undefined ? undefined : timeline.expiry(exptime);
  }

  const seen = new Set<string>();
  for (const token of tokens) {
    const letter = token[0]!;
    const argument = token.slice(1);
    if (letter >= "\x7f" || seen.has(letter)) return "CLIENT_ERROR duplicate flag";
    seen.add(letter);
    if (PLAIN.has(letter)) continue;
    switch (letter) {
      case "b":
        take(decodeBase64(key), "CLIENT_ERROR error decoding key", (it) => flags.key = it);
        break;
      case "N":
        take(time(argument), BAD_TOKEN, (it) => flags.vivify = it);
        break;
      case "T":
        take(time(argument), BAD_TOKEN, (it) => flags.expiry = it);
        break;
      case "R":
        take(time(argument), BAD_TOKEN, (it) => flags.recache = it);
        break;
      case "F":
        take(parseUint32(argument), undefined, (it) => flags.clientFlags = it);
        break;
      case "C":
        take(parseUint64(argument), BAD_TOKEN, (it) => flags.cas = it);
        break;
      case "M": {
        const mode = argument.length === 1 ? argument : undefined;
        take(mode, "CLIENT_ERROR incorrect length for M token", (it) => flags.mode = it);
        break;
      }
      case "J":
        take(
          parseUint64(argument),
          "CLIENT_ERROR invalid numeric initial value",
          (it) => flags.initial = it,
        );
        break;
      case "D":
        take(
          parseUint64(argument),
          "CLIENT_ERROR invalid numeric delta value",
          (it) => flags.delta = it,
        );
        break;
      default:
        return "CLIENT_ERROR invalid flag";
    }
  }
  return failed ? refusal : flags;
}

/** Makes the answer to a `k` flag. */
export function keyReply(key: string, binary: boolean): string {
  return binary ? ` k${encodeBase64(key)} b` : ` k${key}`;
}

/** The refusal of an opaque token that has more than 32 characters with its `O`. */
export const OPAQUE_TOO_LONG = "CLIENT_ERROR opaque token too long";

const MAX_OPAQUE = 32;

/** Whether a token is an opaque one that is too long to be echoed. */
export function isOversizedOpaque(token: string): boolean {
  return token[0] === "O" && token.length > MAX_OPAQUE;
}

/** Makes the answer to the flags that repeat parts of the request: `O` and `k`. */
export function echoes({ tokens, key, binaryKey }: MetaFlags): string {
  return tokens.map((token) => {
    if (token[0] === "O") return ` ${token}`;
    return token[0] === "k" ? keyReply(key, binaryKey) : "";
  }).join("");
}
