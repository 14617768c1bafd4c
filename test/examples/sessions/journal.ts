/**
 * Keeps a short log for the page, and sends it to browsers by server-sent events.
 *
 * There are two events. `log` brings an entry. `change` says that the answer of /state may be different now, and
 * which application has caused that, if one has.
 */
import type { ServerResponse } from "node:http";

/** A line of the log. */
export interface Entry {
  /** The time, in ms since 1970. */
  readonly at: number;
  /** The name of an application or of a memcached server. */
  readonly from: string;
  readonly tone: "plain" | "good" | "bad";
  readonly text: string;
}

/** How many old entries a new browser gets. */
const KEPT = 100;
/** How many bytes may wait for a browser that does not read. With more it is disconnected. */
const LARGEST_BACKLOG = 1_000_000;

/** The log and its readers. */
export class Journal {
  readonly #entries: Entry[] = [];
  readonly #readers = new Set<ServerResponse>();

  /** Whether any browser follows the log now. */
  get isRead(): boolean {
    return this.#readers.size > 0;
  }

  log(from: string, tone: Entry["tone"], text: string): void {
    const entry = { at: Date.now(), from, tone, text };
    this.#entries.push(entry);
    if (this.#entries.length > KEPT) this.#entries.shift();
    this.#send(logEvent(entry));
  }

  /** Tells all browsers to look again. `by` names the application that made the change. */
  change(by?: string): void {
    this.#send(`event: change\ndata: ${JSON.stringify({ by })}\n\n`);
  }

  /** Answers with the present log, and then with each new entry. */
  follow(response: ServerResponse): void {
    response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
    response.write(`retry: 1000\n\n${this.#entries.map(logEvent).join("")}`);
    this.#readers.add(response);
    response.once("close", () => this.#readers.delete(response));
  }

  /** Ends the answers to all browsers. */
  end(): void {
    for (const reader of this.#readers) reader.end();
  }

  #send(event: string): void {
    for (const reader of this.#readers) {
      if (reader.writableLength > LARGEST_BACKLOG) reader.destroy();
      else reader.write(event);
    }
  }
}

function logEvent(entry: Entry): string {
  return `event: log\ndata: ${JSON.stringify(entry)}\n\n`;
}
