/** What a command is given to do its work, and how commands are listed. */
import type { Replies } from "./replies.ts";
import type { ServerState } from "./state.ts";

/** One command's view of its connection. */
export interface Turn {
  readonly state: ServerState;
  readonly replies: Replies;
  /** Reads `length` bytes after the line and hands them over; the command ends with that. */
  readBlock(length: number, done: (block: Uint8Array) => void): void;
  /** Reads past `length` bytes after the line. */
  swallow(length: number): void;
  /** Sends the replies collected so far. */
  flush(): void;
  /** Closes the connection; what was not flushed is lost. */
  close(): void;
}

/** A command: its name, how many tokens its line may have (name included), and what it does. */
export interface Command {
  readonly name: string;
  readonly tokens: readonly [least: number, most: number];
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
