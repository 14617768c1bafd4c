/** What a command is given to do its work, and how commands are listed. */
import type { Block } from "./block.ts";
import type { Item } from "./item.ts";
import type { Replies } from "./replies.ts";
import type { ServerState } from "./state.ts";

/** One command's view of its connection. */
export interface Turn {
  readonly state: ServerState;
  readonly replies: Replies;
  /** Reads `length` bytes after the line and hands them over; the command ends with that. */
  readBlock(length: number, done: (block: Block) => void): void;
  /** Reads past `length` bytes after the line. */
  swallow(length: number): void;
  /**
   * Does the rest of a command that may be long, step by step, until a step returns true; others have
   * their turns between. A step takes at most a few milliseconds.
   */
  work(step: () => boolean): void;
  /** Keeps an item from being changed in its place, and its memory in use, until its reply is sent. */
  hold(item: Item): void;
  /** Sends the replies collected so far. */
  flush(): void;
  /** Forgets the replies collected so far. */
  drop(): void;
  /** Closes the connection; what was not flushed is lost. */
  close(): void;
}

/** A command: its name, how many tokens its line may have (name included), and what it does. */
export interface Command {
  readonly name: string;
  readonly tokens: readonly [least: number, most: number];
  /** Where its keys stand: the first one's token, and whether more may follow. Default: it has none. */
  readonly keys?: readonly [first: number, more: boolean];
  /** The token that tells the length of the value behind the line. Default: it has none. */
  readonly length?: number;
  run(turn: Turn, tokens: readonly string[], rest: string): void;
}

/** A key of more bytes is refused. */
export const MAX_KEY = 250;

/** How a line that breaks a rule is refused. */
export const BAD_FORMAT = "CLIENT_ERROR bad command line format";

/** The largest value length that is not refused out of hand. */
export const MAX_LENGTH: number = 2 ** 31 - 1 - 2;

/** Whether the last token asks for silence; the command is then silent. */
export function takeNoreply({ replies }: Turn, tokens: readonly string[]): boolean {
  replies.noreply = tokens.at(-1) === "noreply";
  return replies.noreply;
}
