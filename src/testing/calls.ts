/** What a server was asked: the last commands, by name and key. */
import { Buffer } from "node:buffer";
import { decodeBase64 } from "./base64_key.ts";
import { ownText } from "./block.ts";
import type { Call } from "./call.ts";
import type { Command } from "./turn.ts";

/** How many are kept. */
export const MOST_CALLS = 10_000;

/** A key cut from a line of more characters would keep too much of it alive. */
const SHORT_LINE = 256;

/** The last commands. */
export class Calls {
  readonly #commands: string[] = [];
  readonly #keys: string[] = [];
  /** Where the oldest is, once all places are taken. */
  #oldest = 0;

  /** Notes a command by its line's tokens. `lineLength`: of the line that they were cut from. */
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

  /** Notes more keys of a long line. */
  noteMore(command: string, keys: readonly string[]): void {
    for (const key of keys) this.#add(command, ownText(key));
  }

  /** All that are kept, the oldest first. */
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

/** A key as clients write it, from one character per byte. */
function fromBytes(key: string): string {
  return /^[\0-\x7f]*$/.test(key) ? key : Buffer.from(key, "latin1").toString();
}

const MS_MODES: Record<string, string> = {
  A: "append",
  E: "add",
  P: "prepend",
  R: "replace",
};

/** What a command line asks for, by its classic name: what is `set` in one dialect is `ms` in the other. */
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
