/** A command line cut into tokens. */

/** Tokens that one pass yields; only `get` and its kin go on with the rest. */
const MAX_TOKENS = 23;

/** One pass over a line. */
export interface Tokens {
  /** What stood between spaces; a tab or any other byte belongs to its token. */
  readonly tokens: readonly string[];
  /** What was left after the last token of a full pass. */
  readonly rest: string;
}

/** Cuts a line, which holds one character per byte, at its spaces. */
export function tokenize(line: string): Tokens {
  const tokens: string[] = [];
  let start = 0;
  while (tokens.length < MAX_TOKENS) {
    while (line.charCodeAt(start) === 0x20) start++;
    if (start >= line.length) return { tokens, rest: "" };
    const space = line.indexOf(" ", start);
    if (space < 0) {
      tokens.push(line.slice(start));
      return { tokens, rest: "" };
    }
    tokens.push(line.slice(start, space));
    start = space + 1;
  }
  return { tokens, rest: line.slice(start) };
}
