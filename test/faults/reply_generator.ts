/** Makes streams of replies from a seed: what a server would send, and what a fault would make of it. */
import type { DialectName } from "../../src/protocol/dialect.ts";
import type { Asked } from "../protocol/feeding.ts";
import { Random } from "../v8/random.ts";

/** Commands, the replies to them in order, and the values that must be reported. */
export interface Exchange {
  readonly dialect: DialectName;
  readonly asked: readonly Asked[];
  /** The replies, each a whole line or value, with one character per byte. */
  readonly replies: readonly string[];
  /** The value for each command (and for each key of several) whose caller waits for one. */
  readonly values: readonly string[];
  /** Whether bytes can be spoiled without turning one key into another. */
  readonly far: boolean;
}

/** What was done to the stream. */
export interface Fault {
  readonly kind: string;
  /** Whether whole replies were moved, so that a value is right or not reported; otherwise bytes were changed. */
  readonly whole: boolean;
  readonly bytes: string;
}

const NEAR_KEYS = ["a", "b", "ab", "visitor:17", "visitor:18", "é", "k".repeat(250)];
// These keys differ more than the bytes of one fault can change.
const FAR_KEYS = ["orange-county", "l\u00e9gumes-frais", "visitor:1234567890", "k".repeat(250)];
const BODIES = [
  "",
  "x",
  "\r\n",
  "END\r\n",
  "VALUE a 0 1\r\n1\r\nEND\r\n",
  "EN O1\r\n",
  "VA 1 f0 O0\r\n1\r\n",
];
const TOKENS = [
  "\r\n",
  "\n",
  " ",
  "0",
  "9",
  "END\r\n",
  "HD\r\n",
  "EN O",
  "VALUE ",
  "VA ",
  "ERROR\r\n",
  "\x00",
];
// Fewer bytes than any reply's header has, so that a fault of this length cannot replace one value by another.
const MOST_BYTES = 7;
const LARGE = 17_000;

// How often `fault` moves whole replies, changes bytes, or does nothing.
const WHOLE_FAULTS = [0, 1, 2, 3, 4, 5, 11, 11];
const FAULTS = [...WHOLE_FAULTS, 6, 7, 8, 9, 10];

/** Makes a value that names its key at both ends. */
export function sealed(key: string, body: string): string {
  return `${key}|${body}|${key}`;
}

/** Returns the key that a value belongs to; undefined for a damaged value, which belongs to none. */
export function ownerOf(value: string): string | undefined {
  return /^([^|\r\n]+)\|[^]*\|\1$/.exec(value)?.[1];
}

/** Returns the UTF-8 bytes of a text, one character per byte. */
function bytesOf(key: string): string {
  return String.fromCharCode(...new TextEncoder().encode(key));
}

/** Makes exchanges. */
export class ReplyGenerator {
  readonly #random: Random;
  #opaque = 0;
  #keys: readonly string[] = FAR_KEYS;

  constructor(seed: number) {
    this.#random = new Random(seed);
  }

  /** Makes some commands and their correct replies. */
  exchange(): Exchange {
    const dialect = this.#random.of(["meta", "classic"] as const);
    const asked: Asked[] = [];
    const replies: string[] = [];
    const values: string[] = [];
    this.#opaque = 0;
    const far = this.#random.below(2) === 0;
    this.#keys = far ? FAR_KEYS : NEAR_KEYS;
    for (let left = 1 + this.#random.below(8); left > 0; left--) {
      this.#command(dialect, asked, replies, values);
    }
    return { dialect, asked, replies, values, far };
  }

  /** Spoils the stream of an exchange. */
  fault({ dialect, replies, far }: Exchange): Fault {
    const random = this.#random;
    const list = [...replies];
    const at = random.below(list.length);
    const stream = replies.join("");
    const place = random.below(stream.length + 1);
    const span = 1 + random.below(MOST_BYTES);
    const head = stream.slice(0, place);
    const bytes = (kind: string, changed: string): Fault => ({
      kind,
      whole: false,
      bytes: changed,
    });
    switch (random.of(far ? FAULTS : WHOLE_FAULTS)) {
      case 0:
        list.splice(at, 1);
        return { kind: "a reply is missing", whole: true, bytes: list.join("") };
      case 1:
        list.splice(at, 0, list[at] as string);
        return { kind: "a reply comes twice", whole: true, bytes: list.join("") };
      case 2:
        list.splice(at, 0, list.splice(random.below(list.length), 1)[0] as string);
        return { kind: "a reply comes at another time", whole: true, bytes: list.join("") };
      case 3:
        list.splice(at, 0, this.#stranger(dialect));
        return { kind: "a stranger's reply", whole: true, bytes: list.join("") };
      case 4:
        list.push(...this.exchange().replies);
        return { kind: "another connection's replies behind", whole: true, bytes: list.join("") };
      case 5:
        return { kind: "cut off", whole: true, bytes: head };
      case 6:
        return bytes("bytes left out", head + stream.slice(place + span));
      case 7:
        return bytes("bytes twice", stream.slice(0, place + span) + stream.slice(place));
      case 8:
        return bytes("a token put in", head + random.of(TOKENS) + stream.slice(place));
      case 9: {
        const token = random.of(TOKENS);
        return bytes("a token over it", head + token + stream.slice(place + token.length));
      }
      case 10: {
        const flipped = String.fromCharCode(stream.charCodeAt(place) ^ (1 << random.below(8)));
        return bytes(
          "a bit",
          place === stream.length ? head : head + flipped + stream.slice(place + 1),
        );
      }
      default:
        return { kind: "none", whole: true, bytes: stream };
    }
  }

  /** Cuts a stream into pieces at random places. */
  cut(bytes: Uint8Array): Uint8Array[] {
    const random = this.#random;
    if (bytes.length < 500 && random.below(8) === 0) {
      return Array.from(bytes, (_, i) => bytes.subarray(i, i + 1));
    }
    const places = Array.from({ length: random.below(6) }, () => random.below(bytes.length + 1));
    places.sort((a, b) => a - b);
    return [0, ...places].map((from, i) => bytes.subarray(from, places[i]));
  }

  #value(key: string): string {
    const random = this.#random;
    const body = Array.from({ length: random.below(4) }, () => random.of(BODIES)).join("");
    const fill = random.below(40) === 0 ? LARGE : random.below(4) === 0 ? random.below(300) : 0;
    return sealed(bytesOf(key), body + "v".repeat(fill));
  }

  #command(dialect: DialectName, asked: Asked[], replies: string[], values: string[]): void {
    const random = this.#random;
    const settled = random.below(10) === 0;
    const key = random.of(this.#keys);
    const opaque = this.#opaque;
    this.#opaque++;
    const end = ` O${opaque}\r\n`;
    const classic = dialect === "classic";
    const say = (meta: string, words: string): void => {
      replies.push(classic ? `${words}\r\n` : `${meta}${end}`);
    };
    const give = (own: string, n: number, cas = ""): string => {
      const value = this.#value(own);
      if (!settled) values.push(value);
      return classic
        ? `VALUE ${bytesOf(own)} 16 ${value.length}${cas && ` ${cas}`}\r\n${value}\r\n`
        : `VA ${value.length} f16${cas && ` c${cas} t-1`} O${opaque + n}\r\n${value}\r\n`;
    };
    switch (random.below(11)) {
      case 0:
      case 1:
      case 2:
        asked.push({ operation: "get", key, settled });
        if (random.below(4) === 0) return say("EN", "END");
        replies.push(give(key, 0) + (classic ? "END\r\n" : ""));
        return;
      case 3: {
        const touches = random.below(2) === 0;
        asked.push({
          operation: touches ? "gat" : "gets",
          key,
          exptime: touches ? 60 : -1,
          settled,
        });
        const found = random.below(4) > 0;
        if (!found) say("EN", "END");
        else replies.push(give(key, 0, touches ? "" : "77") + (classic ? "END\r\n" : ""));
        if (touches && classic) replies.push(found ? "TOUCHED\r\n" : "NOT_FOUND\r\n");
        return;
      }
      case 4: {
        const keys = this.#keys.filter(() => random.below(2) === 0);
        if (keys.length === 0) keys.push(key);
        asked.push({ operation: "getMany", keys, settled });
        const parts = keys.map((own, n) =>
          random.below(4) === 0 ? classic ? "" : `EN O${opaque + n}\r\n` : give(own, n)
        );
        this.#opaque += keys.length - 1;
        if (classic) replies.push(`${parts.join("")}END\r\n`);
        else replies.push(...parts);
        return;
      }
      case 5:
        asked.push({ operation: "set", key, settled });
        return say("HD", "STORED");
      case 6:
        asked.push({ operation: "add", key, settled });
        return say("NS", "NOT_STORED");
      case 7:
        asked.push({ operation: "delete", key, settled });
        return random.below(2) === 0 ? say("HD", "DELETED") : say("NF", "NOT_FOUND");
      case 8:
        asked.push({ operation: "touch", key, exptime: 60, settled });
        return random.below(2) === 0 ? say("HD", "TOUCHED") : say("EN", "NOT_FOUND");
      case 9:
        // This is a classic line in both dialects, so it has no opaque.
        this.#opaque--;
        asked.push({ operation: "cas", key, cas: "77", settled });
        replies.push(random.of(["STORED\r\n", "EXISTS\r\n", "NOT_FOUND\r\n"]));
        return;
      default:
        asked.push({ operation: "set", key, settled });
        replies.push("SERVER_ERROR out of memory storing object\r\n");
    }
  }

  /** Makes a value that nobody has asked for. */
  #stranger(dialect: DialectName): string {
    const value = sealed("stranger", "x");
    return dialect === "classic"
      ? `VALUE stranger 16 ${value.length}\r\n${value}\r\nEND\r\n`
      : `VA ${value.length} f16 O99999\r\n${value}\r\n`;
  }
}
