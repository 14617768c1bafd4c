/** Finds the command for a line, and runs it. */
import { ADMIN_COMMANDS } from "./admin_commands.ts";
import { operationOf } from "./calls.ts";
import { CLASSIC_COMMANDS } from "./classic_commands.ts";
import { tokenize } from "./line.ts";
import { META_COMMANDS } from "./meta_commands.ts";
import { META_SET } from "./meta_set.ts";
import { parseInt32 } from "./numbers.ts";
import { STATS_COMMAND } from "./stats.ts";
import { type Command, MAX_LENGTH, takeNoreply, type Turn } from "./turn.ts";

const COMMANDS: ReadonlyMap<string, Command> = new Map(
  [...CLASSIC_COMMANDS, ...META_COMMANDS, META_SET, ...ADMIN_COMMANDS, STATS_COMMAND]
    .map((command) => [command.name, command]),
);

/** The names of all commands. */
export const COMMAND_NAMES: readonly string[] = [...COMMANDS.keys()];

/** Only a line whose first word does not begin like this may be taken for a browser's request. */
const FAMILIAR = /^(?:[gsacidt]|m.$)/s;

/** Runs a command line. It has one character per byte and ends at its first NUL. */
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
  turn.state.calls.note(command, tokens, line.length);
  const failure = turn.state.faults.takeFailure(tokens);
  if (failure !== undefined) return fail(turn, command, tokens, failure);
  command.run(turn, tokens, rest);
}

/** Answers with the line that a test has ordered, in the way that memcached answers when memory is short. */
function fail(turn: Turn, command: Command, tokens: readonly string[], line: string): void {
  if (operationOf(tokens) === command.name) takeNoreply(turn, tokens);
  turn.replies.line(line);
  if (command.length === undefined) return;
  const length = parseInt32(tokens[command.length] ?? "");
  if (length !== undefined && length >= 0 && length <= MAX_LENGTH) turn.swallow(length + 2);
}
