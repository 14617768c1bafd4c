/**
 * What a connection may send before its client is authenticated (`-Y`; protocol.txt, "Authentication"): a
 * `set` of any key whose value is a name and a password. Until then each reply replaces those that were not
 * sent yet, as in memcached.
 */
import { endsLine, textOf } from "./block.ts";
import { tokenize } from "./line.ts";
import { parseUint32 } from "./numbers.ts";
import type { Credentials } from "./settings.ts";
import type { Turn } from "./turn.ts";

/** If a name and password have more bytes, the connection is closed. */
const MAX_CREDENTIALS = 16 * 1024;

/** Runs a line of a client that is not authenticated yet; calls `known` once it is. */
export function authenticate(
  turn: Turn,
  line: string,
  users: readonly Credentials[],
  known: () => void,
): void {
  const { state: { counters: { totals } } } = turn;
  function answer(reply: string): void {
    turn.drop();
    turn.replies.begin();
    turn.replies.line(reply);
  }
  const { tokens } = tokenize(line);
  const size = parseUint32(tokens[4] ?? "");
  if (tokens[0] !== "set" || size === undefined) return answer("CLIENT_ERROR unauthenticated");
  const length = (size + 2) >>> 0; // 32 bits, as in C
  if (length > MAX_CREDENTIALS) return turn.close();
  let complete = false;
  turn.readBlock(length, (block) => {
    complete = true;
    if (!endsLine(block)) return answer("CLIENT_ERROR bad command line termination");
    const [username, password] = tokenize(textOf(block).slice(0, -2)).tokens;
    if (password === undefined) return answer("CLIENT_ERROR bad authentication token format");
    totals.auth_cmds++;
    if (users.some((user) => user.username === username && user.password === password)) {
      known();
      return answer("STORED");
    }
    totals.auth_errors++;
    answer("CLIENT_ERROR authentication failure");
  });
  if (!complete) turn.flush();
}
