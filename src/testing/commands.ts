/** From a line to its command. */
import { ADMIN_COMMANDS } from "./admin_commands.ts";
import { CLASSIC_COMMANDS } from "./classic_commands.ts";
import { tokenize } from "./line.ts";
import { META_COMMANDS } from "./meta_commands.ts";
import { META_SET } from "./meta_set.ts";
import { STATS_COMMAND } from "./stats.ts";
import type { Command, Turn } from "./turn.ts";

const COMMANDS: ReadonlyMap<string, Command> = new Map(
  [...CLASSIC_COMMANDS, ...META_COMMANDS, META_SET, ...ADMIN_COMMANDS, STATS_COMMAND]
    .map((command) => [command.name, command]),
);

/** Words with these beginnings are looked up before a browser is suspected. */
const FAMILIAR = /^(?:[gsacidt]|m.$)/s;

/** Runs a command line, which holds one character per byte and ends at its first NUL. */
export function runLine(turn: Turn, line: string): void {
  const nul = line.indexOf("\0");
  const { tokens, rest } = tokenize(nul < 0 ? line : line.slice(0, nul));
  const word = tokens[0] ?? "";
  const command = COMMANDS.get(word);
  if (command === undefined) {
    const browser = !FAMILIAR.test(word) && word.length > 1 && tokens.at(-1)!.startsWith("HTTP/");
    return browser ? turn.close() : turn.replies.line("ERROR");
  }
  const [least, most] = command.tokens;
  if (tokens.length < least || tokens.length > most) return turn.replies.line("ERROR");
  command.run(turn, tokens, rest);
}
