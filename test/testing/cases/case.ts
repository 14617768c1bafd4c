/**
 * The notation for conversations with a server. In a line, `|` stands for CR LF, and one more CR LF is added at
 * the end. Each line is played on a connection of its own, which is then closed for writing.
 */

/** Bytes for one connection: a line as above, or chunks that are sent as they are, one after the other. */
export type Line = string | { readonly chunks: readonly string[] };

/** One step: send something, or let seconds pass. */
export type Step = Line | { readonly wait: number };

/** One conversation, or several one after the other. */
export type Case = Line | readonly Step[];

/** Cases by their subject. */
export type Topics = Readonly<Record<string, readonly Case[]>>;

/** Marks bytes that are sent as they are. */
export function raw(...chunks: string[]): Line {
  return { chunks };
}

/** Returns what a line sends, in one piece or several, with one character per byte. */
export function chunksOf(line: Line): readonly string[] {
  return typeof line === "string" ? [line.replaceAll("|", "\r\n") + "\r\n"] : line.chunks;
}

/** Returns the steps of a case. */
export function stepsOf(one: Case): readonly Step[] {
  return typeof one === "string" || !Array.isArray(one) ? [one as Line] : one as Step[];
}

/** Returns the name of a case: its bytes, cut short. */
export function nameOf(one: Case): string {
  const text = JSON.stringify(one);
  return text.length <= 160 ? text : `${text.slice(0, 160)}... (${text.length})`;
}

/** The longest legal key, and one that is too long. */
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
