/** Cuts a command line into tokens. */

/** How many tokens one pass yields at most. Only `get` and its variants go on with the rest. */
const MAX_TOKENS = 23;

/** One pass over a line. */
interface Tokens {
  /** The words between spaces. A tab or any other byte is part of its word. */
  readonly tokens: readonly string[];
  /** The rest of the line after the last token of a full pass. */
  readonly rest: string;
}

/** Cuts a line, which has one character per byte, at its spaces. */
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
