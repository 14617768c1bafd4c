/** The seam between the connection and the two dialects of the text protocol. */
import type { DialectName } from "./dialect_name.ts";
import type { Buffer } from "node:buffer";
import type { Command } from "./command.ts";
import type { Reply } from "./reply.ts";
import type { WriteBuffer } from "./write_buffer.ts";

export type { DialectName };

/** What a reply means for the command that waits for it. */
export const Verdict = {
  /** It is not the reply of this command: the stream is out of step. */
  wrong: 0,
  /** It is this command's reply, and more must follow. */
  more: 1,
  /** It is this command's reply, and the last one. */
  last: 2,
} as const;

/** One of {@link Verdict}. */
export type VerdictName = (typeof Verdict)[keyof typeof Verdict];

/**
 * One way to write commands and read replies. An instance belongs to one connection and dies with it.
 */
export interface Dialect {
  readonly name: DialectName;
  /** How many single gets of one batch should share a line; 1: each has a line to itself. */
  readonly lineKeys: number;
  /** Writes a command's bytes. */
  encode(command: Command, out: WriteBuffer): void;
  /**
   * Reads the line at `at` into `reply`. Returns where the line ends, INCOMPLETE or GARBAGE. The buffer
   * has a line feed at `bytes[end]` that was not received, so that every scan ends there. `command` is
   * the one that waits for this reply; the handshake has none.
   */
  parse(bytes: Buffer, at: number, end: number, reply: Reply, command?: Command): number;
  /** Checks that the reply is one that the command waits for, and counts it. */
  accept(command: Command, reply: Reply): VerdictName;
}
