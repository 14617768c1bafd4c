/**
 * How conversations with a server are written down: in a line, `|` is CR LF and one more is added at
 * the end. Each line is played on a connection of its own, which is then closed for writing.
 */

/** Bytes for one connection: a line as above, or chunks as they stand, sent one after the other. */
export type Line = string | { readonly chunks: readonly string[] };

/** Something to do: talk, or let seconds pass. */
export type Step = Line | { readonly wait: number };

/** One conversation, or several in a row. */
export type Case = Line | readonly Step[];

/** Cases by what they are about. */
export type Topics = Readonly<Record<string, readonly Case[]>>;

/** Bytes as they stand. */
export function raw(...chunks: string[]): Line {
  return { chunks };
}

/** What a line sends, in one piece or several; a character is a byte. */
export function chunksOf(line: Line): readonly string[] {
  return typeof line === "string" ? [line.replaceAll("|", "\r\n") + "\r\n"] : line.chunks;
}

/** The steps of a case. */
export function stepsOf(one: Case): readonly Step[] {
  return typeof one === "string" || !Array.isArray(one) ? [one as Line] : one as Step[];
}

/** What a case is called: its bytes, cut short. */
export function nameOf(one: Case): string {
  const text = JSON.stringify(one);
  return text.length <= 160 ? text : `${text.slice(0, 160)}... (${text.length})`;
}

/** The longest key, and one that is too long. */
export const K250: string = "k".repeat(250);
export const K251: string = "k".repeat(251);

/** Whether a step lets time pass. */
export function isWait(step: Step): step is { readonly wait: number } {
  return typeof step === "object" && "wait" in step;
}

/** Whether a case lets time pass. */
export function takesTime(one: Case): boolean {
  return stepsOf(one).some(isWait);
}
