/** The interface between commands and their connection, and the type of a command. */
import type { Block } from "./block.ts";
import type { Item } from "./item.ts";
import type { Replies } from "./replies.ts";
import type { ServerState } from "./state.ts";

/** A connection as a command sees it. */
export interface Turn {
  readonly state: ServerState;
  readonly replies: Replies;
  /** Reads `length` bytes after the line and hands them to `done`, with which the command ends. */
  readBlock(length: number, done: (block: Block) => void): void;
  /** Skips `length` bytes after the line. */
  swallow(length: number): void;
  /**
   * Does the rest of a long command step by step, until a step returns true. Other connections have turns in
   * between. A step must take at most a few milliseconds.
   */
  work(step: () => boolean): void;
  /** Until the reply is sent, keeps the item from being changed in place and counts its memory as used. */
  hold(item: Item): void;
  /** Sends the replies collected so far. */
  flush(): void;
  /** Forgets the replies collected so far. */
  drop(): void;
  /** Closes the connection. Replies that were not flushed are lost. */
  close(): void;
}

/** A command: its name, how many tokens its line may have (with the name), and what it does. */
export interface Command {
  readonly name: string;
  readonly tokens: readonly [least: number, most: number];
  /** The index of the first key's token, and whether more keys may follow. Default: it has no keys. */
  readonly keys?: readonly [first: number, more: boolean];
  /** The index of the token with the length of the value after the line. Default: it has no value. */
  readonly length?: number;
  run(turn: Turn, tokens: readonly string[], rest: string): void;
}

/** The longest key, in bytes. */
export const MAX_KEY = 250;

/** The reply to a line that breaks a rule. */
export const BAD_FORMAT = "CLIENT_ERROR bad command line format";

/** The largest length of a value that is not refused at once. */
export const MAX_LENGTH: number = 2 ** 31 - 1 - 2;

/** Returns whether the last token is `noreply`, and if so keeps the command from replying. */
export function takeNoreply({ replies }: Turn, tokens: readonly string[]): boolean {
  replies.noreply = tokens.at(-1) === "noreply";
  return replies.noreply;
}
