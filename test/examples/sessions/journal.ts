/**
 * What has happened, for the page: a short log, and the browsers that follow it by server-sent events.
 *
 * Two events: `log` brings an entry, `change` says that what /state tells may be different now, and
 * which application has caused it, if one has.
 */
import type { ServerResponse } from "node:http";

/** A line of the log. */
export interface Entry {
  /** ms since 1970. */
  readonly at: number;
  /** The name of an application or of a memcached server. */
  readonly from: string;
  readonly tone: "plain" | "good" | "bad";
  readonly text: string;
}

/** Entries that a browser gets which comes later. */
const KEPT = 100;
/** Bytes that may wait for a browser that does not read; one with more is cut off. */
const LARGEST_BACKLOG = 1_000_000;

/** The log and its readers. */
export class Journal {
  readonly #entries: Entry[] = [];
  readonly #readers = new Set<ServerResponse>();

  /** Whether anybody follows it now. */
  get isRead(): boolean {
    return this.#readers.size > 0;
  }

  log(from: string, tone: Entry["tone"], text: string): void {
    const entry = { at: Date.now(), from, tone, text };
    this.#entries.push(entry);
    if (this.#entries.length > KEPT) this.#entries.shift();
    this.#send(logEvent(entry));
  }

  /** Tells everybody to look again; `by` names the application that has made the change. */
  change(by?: string): void {
    this.#send(`event: change\ndata: ${JSON.stringify({ by })}\n\n`);
  }

  /** Answers with what there is of the log, and with all that comes. */
  follow(response: ServerResponse): void {
    response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
    response.write(`retry: 1000\n\n${this.#entries.map(logEvent).join("")}`);
    this.#readers.add(response);
    response.once("close", () => this.#readers.delete(response));
  }

  /** Ends it for everybody who follows. */
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
