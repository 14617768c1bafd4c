/** Remembers the last commands that a server has received, by name and key. */
import { Buffer } from "node:buffer";
import { decodeBase64 } from "./base64_key.ts";
import { ownText } from "./block.ts";
import type { Call } from "./call.ts";
import type { Command } from "./turn.ts";

/** How many commands are remembered. */
const MOST_CALLS = 10_000;

/** A key is copied out of a line of more characters, because it would keep the whole line alive. */
const SHORT_LINE = 256;

/** The last commands that a server has received. */
export class Calls {
  readonly #commands: string[] = [];
  readonly #keys: string[] = [];
  /** The index of the oldest command, once all places are taken. */
  #oldest = 0;

  /** Notes a command, given as tokens. `lineLength` is the length of the line that they were cut from. */
  note(command: Command, tokens: readonly string[], lineLength: number): void {
    const name = operationOf(tokens);
    if (command.keys === undefined) return this.#add(name, "");
    const [first, more] = command.keys;
    for (let at = first; at < (more ? tokens.length : first + 1); at++) {
      let key = tokens[at] ?? "";
      if (name !== tokens[0] && isBase64(tokens)) key = decodeBase64(key) ?? key;
      this.#add(name, lineLength > SHORT_LINE ? ownText(key) : key);
    }
  }

  /** Notes more keys of a command whose line is long. */
  noteMore(command: string, keys: readonly string[]): void {
    for (const key of keys) this.#add(command, ownText(key));
  }

  /** Returns the remembered commands, the oldest first. */
  list(): Call[] {
    return this.#commands.map((_, index) => {
      const at = (this.#oldest + index) % this.#commands.length;
      return { command: this.#commands[at]!, key: fromBytes(this.#keys[at]!) };
    });
  }

  #add(command: string, key: string): void {
    if (this.#commands.length < MOST_CALLS) {
      this.#commands.push(command);
      this.#keys.push(key);
      return;
    }
    this.#commands[this.#oldest] = command;
    this.#keys[this.#oldest] = key;
    this.#oldest = (this.#oldest + 1) % MOST_CALLS;
  }
}

/** Turns a key with one character per byte into the text that clients write. */
function fromBytes(key: string): string {
  return /^[\0-\x7f]*$/.test(key) ? key : Buffer.from(key, "latin1").toString();
}

const MS_MODES: Record<string, string> = {
  A: "append",
  E: "add",
  P: "prepend",
  R: "replace",
};

/** Returns the classic name of what a command line asks for: `set` for an `ms`, for example. */
export function operationOf(tokens: readonly string[]): string {
  const name = tokens[0]!;
  switch (name) {
    case "mg":
      return !has(tokens, "T", 2) ? "get" : has(tokens, "v", 2) ? "gat" : "touch";
    case "ms": {
      const mode = MS_MODES[modeOf(tokens, 3)] ?? "set";
      return (mode === "set" || mode === "replace") && has(tokens, "C", 3) ? "cas" : mode;
    }
    case "md":
      return "delete";
    case "ma":
      return /^[D-]/.test(modeOf(tokens, 2)) ? "decr" : "incr";
    default:
      return name;
  }
}

function has(tokens: readonly string[], flag: string, from: number): boolean {
  for (let at = from; at < tokens.length; at++) if (tokens[at]!.startsWith(flag)) return true;
  return false;
}

function isBase64(tokens: readonly string[]): boolean {
  return has(tokens, "b", tokens[0] === "ms" ? 3 : 2);
}

function modeOf(tokens: readonly string[], from: number): string {
  return tokens.slice(from).find((token) => token.startsWith("M"))?.slice(1) ?? "";
}
