/**
 * A name server of a few lines: UDP on loopback, which answers A, AAAA and SRV questions with what a test has set.
 *
 *     const dns = await startDns();
 *     dns.set("cache.local", "A", ["127.0.0.1"]);
 *     dns.set("_memcached._tcp.cache.local", "SRV", ["node-0.cache.local 11211"]);
 *     dns.fail("cache.local", "servfail");
 */
import { Buffer } from "node:buffer";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";

export type RecordType = "A" | "AAAA" | "SRV";
/** Ways not to answer: an error of the server, a name that does not exist, nothing at all, bytes that are no answer. */
export type Failure = "servfail" | "nxdomain" | "silence" | "garbage";

const TYPES: ReadonlyMap<number, RecordType> = new Map([[1, "A"], [28, "AAAA"], [33, "SRV"]]);
const HEADER = 12;
const NO_ERROR = 0;
const SERVFAIL = 2;
const NXDOMAIN = 3;

/** Starts one on a free port. */
export async function startDns(): Promise<DnsServer> {
  const socket = createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return new DnsServer(socket);
}

export class DnsServer implements AsyncDisposable {
  /** As `nameservers` takes it. */
  readonly address: string;
  /** Questions so far. */
  asked = 0;
  readonly #socket: Socket;
  readonly #records = new Map<string, readonly string[]>();
  readonly #failures = new Map<string, Failure>();

  /** Use startDns. */
  constructor(socket: Socket) {
    this.#socket = socket;
    this.address = `127.0.0.1:${socket.address().port}`;
    socket.on("message", (query, { port }) => {
      const answer = this.#answer(query);
      if (answer !== undefined) socket.send(answer, port, "127.0.0.1");
    });
  }

  /** Sets the records of a name; an SRV record is "target port". */
  set(name: string, type: RecordType, records: readonly string[]): void {
    this.#records.set(`${name} ${type}`, records);
  }

  /** Fails all questions about a name from now on; undefined: answers them again. */
  fail(name: string, failure: Failure | undefined): void {
    if (failure === undefined) this.#failures.delete(name);
    else this.#failures.set(name, failure);
  }

  async close(): Promise<void> {
    this.#socket.close();
    await once(this.#socket, "close");
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #answer(query: Buffer): Buffer | undefined {
    this.asked++;
    const { name, end } = readName(query, HEADER);
    const type = TYPES.get(query.readUInt16BE(end));
    const question = query.subarray(HEADER, end + 4);
    const failure = this.#failures.get(name);
    if (failure === "silence") return undefined;
    if (failure === "garbage") return Buffer.concat([query.subarray(0, 2), Buffer.from("garbage")]);
    const exists = [...this.#records.keys()].some((key) => key.startsWith(`${name} `));
    const code = failure === "servfail"
      ? SERVFAIL
      : failure === "nxdomain" || !exists
      ? NXDOMAIN
      : NO_ERROR;
    const records = code === NO_ERROR ? this.#records.get(`${name} ${type}`) ?? [] : [];
    const header = Buffer.alloc(HEADER);
    header.set(query.subarray(0, 2));
    header.writeUInt16BE(0x8580 | code, 2); // an answer, authoritative, recursion available
    header.writeUInt16BE(1, 4);
    header.writeUInt16BE(records.length, 6);
    return Buffer.concat([header, question, ...records.map((text) => record(type, text))]);
  }
}

function record(type: RecordType | undefined, text: string): Buffer {
  const data = dataOf(type as RecordType, text);
  const head = Buffer.alloc(12);
  head.writeUInt16BE(0xc000 | HEADER, 0); // the name of the question
  head.writeUInt16BE(type === "A" ? 1 : type === "AAAA" ? 28 : 33, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt32BE(1, 6);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

function dataOf(type: RecordType, text: string): Buffer {
  if (type === "A") return Buffer.from(text.split(".").map(Number));
  if (type === "AAAA") {
    const [left = "", right = ""] = text.split("::");
    const groups = (part: string): number[] =>
      part === "" ? [] : part.split(":").map((group) => parseInt(group, 16));
    const [a, b] = [groups(left), groups(right)];
    const all = [...a, ...Array<number>(8 - a.length - b.length).fill(0), ...b];
    return Buffer.from(all.flatMap((group) => [group >> 8, group & 255]));
  }
  const [target = "", port = ""] = text.split(" ");
  const head = Buffer.alloc(6);
  head.writeUInt16BE(Number(port), 4);
  const labels = target === "." ? [] : target.split(".");
  const name = labels.map((label) => Buffer.from([label.length, ...Buffer.from(label)]));
  return Buffer.concat([head, ...name, Buffer.of(0)]);
}

function readName(bytes: Buffer, from: number): { name: string; end: number } {
  const labels: string[] = [];
  let at = from;
  while (bytes[at] !== 0) {
    const length = bytes[at] as number;
    labels.push(bytes.toString("latin1", at + 1, at + 1 + length));
    at += length + 1;
  }
  return { name: labels.join(".").toLowerCase(), end: at + 1 };
}
