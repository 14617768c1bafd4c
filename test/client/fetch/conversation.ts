/**
 * A scripted conversation: what the client must send, line for line, and what the server answers to each line.
 * Opaques are added and removed automatically, and `<nonce>` stands for the 16 bytes of the stub that the client
 * sent last.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { channel } from "node:diagnostics_channel";
import {
  type FetchMessage,
  type FetchOptions,
  Memcached,
  type MemcachedOptions,
} from "../../../mod.ts";
import { type Peer, startScriptedServer } from "../../support/scripted_server.ts";

export type Dialect = "meta" | "classic";

/**
 * What the client sends, with the data of a stored value after a line feed, and the answer or an act of the
 * server. A step that is marked `again` may come any number of times.
 */
export type Step = readonly [sent: string | RegExp, answer: string | Act, again?: "again"];

/** What a server can do instead of answering. */
export type Act = "close" | "keep silent";

/** The options of all fetches, unless a test has others. */
export const OPTIONS: FetchOptions = { ttl: 60, stale: 10, lease: 2 };

/** The first question that a fetch with OPTIONS sends. */
export const ASK: Readonly<Record<Dialect, string>> = {
  meta: "mg k v f c N3 R11",
  classic: "gets k",
};

const NONCE = "<nonce>";

/** Runs `talk` with a client of a server that answers these steps and no others. */
export async function converse(
  dialect: Dialect,
  steps: readonly Step[],
  talk: (client: Memcached) => Promise<void>,
  options: MemcachedOptions = {},
): Promise<void> {
  const left = [...steps];
  const beyond: string[] = [];
  let nonce = "";
  const server = await startScriptedServer(async (peer) => {
    for (;;) {
      const { line, data, opaque } = await peer.next();
      // After an error in a get's reply, a connection sends these to find out where the stream of replies is.
      if (line === "version") await peer.write("VERSION 1.6.18\r\n");
      if (line.startsWith("delete memwire:nothing:")) await peer.write("NOT_FOUND\r\n");
      if (/^version|^delete memwire:/.test(line)) continue;
      const text = data === undefined ? "" : Buffer.from(data).toString("latin1");
      const planted = / 65536 \d+ 16/.test(line);
      if (planted) nonce = text;
      const sent = line.replace(/ O\d+$/, "") +
        (data === undefined ? "" : `\n${planted ? NONCE : text}`);
      if (left[0]?.[2] === "again" && !fits(sent, left[0])) left.shift();
      const step = left[0]?.[2] === "again" ? left[0] : left.shift();
      if (step === undefined) {
        beyond.push(sent);
        continue;
      }
      assert.ok(fits(sent, step), `sent ${sent}, expected ${step[0]}`);
      if (step[1] === "close") return peer.destroy();
      if (step[1] !== "keep silent") await answer(peer, step[1], opaque, nonce);
    }
  });
  const client = new Memcached(server.address, {
    timeout: 10_000,
    connectTimeout: 10_000,
    protocol: dialect,
    ...options,
  });
  try {
    await talk(client);
  } finally {
    await client.close();
    await server.stop();
  }
  if (left[0]?.[2] === "again") left.shift();
  assert.deepEqual([left, beyond], [[], []], "what was not sent, and what was sent besides");
}

function fits(sent: string, [expected]: Step): boolean {
  return typeof expected === "string" ? sent === expected : expected.test(sent);
}

async function answer(
  peer: Peer,
  text: string,
  opaque: string | undefined,
  nonce: string,
): Promise<void> {
  const [head = "", ...rest] = text.split("\n").map((part) => part === NONCE ? nonce : part);
  const mark = opaque === undefined || /^[A-Z]+_ERROR/.test(head) ? "" : ` O${opaque}`;
  await peer.write(Buffer.from([head + mark, ...rest].join("\r\n") + "\r\n", "latin1"));
}

/** Makes the answer to ASK for what is stored under a key: `VA 5 f16 c7 W`, for example. */
export function item(
  dialect: Dialect,
  value: string,
  { flags = 16, cas = 7, marks = "" }: { flags?: number; cas?: number; marks?: string } = {},
): string {
  const size = value === NONCE ? 16 : value.length;
  if (dialect === "classic") return `VALUE k ${flags} ${size} ${cas}\n${value}\nEND`;
  return `VA ${size} f${flags} c${cas}${marks === "" ? "" : ` ${marks}`}\n${value}`;
}

/** The stub that the client has sent. */
export function ownStub(dialect: Dialect, cas = 7, marks = ""): string {
  return item(dialect, NONCE, { flags: 65_536, cas, marks });
}

/** A loader that counts its runs, and notes what it was given. */
export class Counted<T> {
  runs = 0;
  readonly stale: unknown[] = [];
  readonly load: (context: { stale: unknown; signal: AbortSignal }) => Promise<T>;

  constructor(load: () => T | Promise<T>) {
    this.load = async ({ stale }): Promise<T> => {
      this.runs++;
      this.stale.push(stale);
      return await load();
    };
  }
}

/** Runs something, and returns the messages that the channel published meanwhile about a server. */
export async function heard(
  client: Memcached,
  run: () => Promise<unknown>,
): Promise<FetchMessage[]> {
  const { address } = client.serverFor("k");
  const messages: FetchMessage[] = [];
  const hear = (message: unknown): void => {
    if ((message as FetchMessage).server.address === address) {
      messages.push(message as FetchMessage);
    }
  };
  channel("memwire:fetch").subscribe(hear);
  try {
    await run();
  } finally {
    channel("memwire:fetch").unsubscribe(hear);
  }
  return messages;
}
