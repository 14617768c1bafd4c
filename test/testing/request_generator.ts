/**
 * Makes random requests from a seed, most of them valid. It sends the same requests to an embedded server to
 * learn versions, so that a `cas` sometimes has the right one.
 *
 * It leaves out requests without a defined answer (memcached reads past the end of a value of only white space
 * to see whether it is a number), and those that depend on background threads: the crawler, and a delayed
 * flush, which brings back items that an earlier flush covered and no thread has dropped yet.
 */
import { Buffer } from "node:buffer";
import { type Line, raw } from "./cases/case.ts";
import { converse, socketless } from "./socketless.ts";

const KEYS = ["a", "b", "Zm9v", "AAEg", "foo", "k".repeat(250), "noreply", "\xc3\xa9"];
const BASE64 = ["Zm9v", "AAEg"];
const BAD_KEYS = ["k".repeat(251), "=", "Zm9", "\x7f"];
const NUMBERS = ["0", "1", "9", "10", "99", "100", "18446744073709551615", "007", "12x", "5 "];
const TIMES = ["0", "0", "0", "10", "100", "2592000", "-1", "2592001", "4102444800", "2147483648"];
const BAD_NUMBERS = ["", "x", "1.5", "-", "99999999999999999999", "+1", "\t1", "-1", "4294967296"];
const FLAG_LETTERS = "cfhklqstuvOPLITFCNRJDM" + "vvttIITTRRCCMM";
const STORAGE = ["set", "set", "set", "add", "replace", "append", "prepend", "cas"];
const WORDS = [
  "version",
  "mn",
  "verbosity 1",
  "bogus",
  "flush_all",
  "flush_all 5",
  "mx",
  "HTTP/1.1",
];

/** Makes a stream of numbers from a seed, by the upper half of a linear congruential generator. */
function random(seed: number): () => number {
  let state = BigInt(seed) * 2_862_933_555_777_941_757n + 3_037_000_493n;
  return () => {
    state = BigInt.asUintN(64, state * 6_364_136_223_846_793_005n + 1_442_695_040_888_963_407n);
    return Number(state >> 33n) / 2 ** 31;
  };
}

/** Makes conversations. Each is a few commands for a connection of its own. */
export class RequestGenerator {
  readonly #random: () => number;
  readonly #state = socketless({ now: () => 1_800_000_000 });

  constructor(seed: number) {
    this.#random = random(seed);
  }

  /** Makes the bytes of one conversation, one character per byte. */
  conversation(): string {
    this.#tell("flush_all\r\n");
    let text = "";
    const stores = this.#below(4);
    const commands = stores + 1 + this.#below(14);
    for (let count = 0; count < commands; count++) {
      const whole = count < stores ? this.#metaSet() : this.#command();
      const command = this.#chance(0.1) ? this.#damage(whole) : whole;
      if (/flush_all.*[1-9]/.test(command)) continue;
      this.#tell(command);
      text += command;
    }
    return text.startsWith("\x80") ? `\n${text}` : text; // 0x80 opens the binary protocol
  }

  #command(): string {
    const kinds = [
      () => this.#storage(),
      () => this.#storage(),
      () => this.#metaSet(),
      () => this.#metaSet(),
      () => `${this.#pick(["get", "gets", "gat 10", "gats -1", "gat x"])} ${this.#keys()}\r\n`,
      () =>
        `${this.#pick(["incr", "decr"])} ${this.#key()} ${this.#number()}${this.#noreply()}\r\n`,
      () => `touch ${this.#key()} ${this.#time()}${this.#noreply()}\r\n`,
      () => `delete ${this.#key()}${this.#pick(["", "", " 0", " x"])}${this.#noreply()}\r\n`,
      () => `mg ${this.#keyAndFlags(6)}\r\n`,
      () => `mg ${this.#keyAndFlags(6)}\r\n`,
      () => `md ${this.#keyAndFlags(4)}\r\n`,
      () => `ma ${this.#keyAndFlags(5)}\r\n`,
      () => `md ${this.#keyAndFlags(1, " I T100")}\r\n`,
      () => `mg ${this.#keyAndFlags(2, this.#pick([" N30 t", " R200 t v", " N0", " R30"]))}\r\n`,
      () => `me ${this.#key()}${this.#pick(["", "", " b"])}\r\n`,
    ];
    if (this.#chance(0.03)) return `${this.#pick(WORDS)}${this.#noreply()}\r\n`;
    return this.#pick(kinds)();
  }

  #storage(): string {
    const name = this.#pick(STORAGE);
    const value = this.#value();
    const cas = name === "cas" ? ` ${this.#cas()}` : "";
    const flags = this.#pick(["0", "5", "4294967295", this.#number()]);
    const head = `${name} ${this.#key()} ${flags} ${this.#time()} ${this.#length(value)}${cas}`;
    return `${head}${this.#noreply()}\r\n${value}\r\n`;
  }

  #metaSet(): string {
    const value = this.#value();
    return `ms ${this.#keyAndFlags(5, ` ${this.#length(value)}`, "EARPS")}\r\n${value}\r\n`;
  }

  /** Returns the length of a value, or a little more or less. */
  #length(value: string): number {
    return this.#chance(0.03) ? value.length - 2 + this.#below(5) : value.length;
  }

  /** Makes a key and at most `most` flags, with something in between. */
  #keyAndFlags(most: number, between = "", modes = "ID+-"): string {
    const key = this.#key();
    const binary = this.#chance(BASE64.includes(key) ? 0.5 : 0.02) ? " b" : "";
    const flags = this.#flags(most, modes);
    return key + between + (this.#chance(0.5) ? binary + flags : flags + binary);
  }

  #flags(most: number, modes: string): string {
    let text = "";
    const used = new Set<string>();
    for (let count = this.#below(most + 1); count > 0; count--) {
      const letter = this.#chance(0.01) ? this.#character() : this.#pick([...FLAG_LETTERS]);
      if (used.has(letter) && this.#chance(0.95)) continue;
      used.add(letter);
      text += ` ${letter}${this.#argument(letter, modes)}`;
    }
    return text;
  }

  #argument(letter: string, modes: string): string {
    switch (letter) {
      case "T":
      case "N":
      case "R":
        return this.#time();
      case "C":
        return this.#cas();
      case "F":
      case "J":
      case "D":
        return this.#number();
      case "M":
        return this.#chance(0.1) ? this.#pick(["", "s", "x"]) : this.#pick([...modes]);
      case "O":
        return this.#chance(0.05)
          ? "o".repeat(30 + this.#below(4))
          : this.#pick(["1", "kc", "", "O"]);
      default:
        return this.#chance(0.03) ? "x" : "";
    }
  }

  /** Returns a version that some item has or had, or that none ever had. */
  #cas(): string {
    if (this.#chance(0.2)) return this.#number();
    const reply = this.#tell(`gets ${KEYS.join(" ")}\r\n`);
    const found = [...reply.matchAll(/^VALUE .* (\d+)\r$/gm)].map(([, cas]) => Number(cas));
    const older = this.#chance(0.3) ? 1 : 0;
    return found.length === 0 ? "1" : `${Math.max(0, this.#pick(found) - older)}`;
  }

  #key(): string {
    if (this.#chance(0.02)) return this.#pick(BAD_KEYS);
    return this.#chance(0.7) ? this.#pick(KEYS.slice(0, 2)) : this.#pick(KEYS);
  }

  #keys(): string {
    return Array.from({ length: this.#chance(0.05) ? 30 : 1 + this.#below(4) }, () => this.#key())
      .join(" ");
  }

  #value(): string {
    if (this.#chance(0.5)) return this.#pick(NUMBERS);
    return this.#pick([
      "",
      "x",
      "abc\r\nmn",
      "\0\xff",
      "x".repeat(this.#below(300)),
      "y".repeat(3000),
    ]);
  }

  #number(): string {
    return this.#chance(0.06) ? this.#pick(BAD_NUMBERS) : this.#pick(NUMBERS.slice(0, 7));
  }

  #time(): string {
    return this.#chance(0.04) ? this.#pick(BAD_NUMBERS) : this.#pick(TIMES);
  }

  #noreply(): string {
    return this.#chance(0.1) ? this.#pick([" noreply", " noreply", " norepl", " x"]) : "";
  }

  /** Adds, removes or changes a byte, or spoils a token or a line end. */
  #damage(command: string): string {
    const at = this.#below(command.length);
    switch (this.#below(6)) {
      case 0:
        return command.slice(0, at) + command.slice(at + 1);
      case 1:
        return command.slice(0, at) + this.#character() + command.slice(at);
      case 2:
        return command.slice(0, at) + this.#character() + command.slice(at + 1);
      case 3:
        return command.replace("\r\n", "\n");
      case 4:
        return command.replace(" ", this.#pick(["  ", "", " x ", "\t"]));
      default:
        return command.slice(0, at) + "\r\n";
    }
  }

  #character(): string {
    return String.fromCharCode(this.#chance(0.5) ? 33 + this.#below(94) : this.#below(256));
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  #chance(share: number): boolean {
    return this.#random() < share;
  }

  #pick<T>(list: readonly T[]): T {
    return list[this.#below(list.length)] as T;
  }

  #tell(bytes: string): string {
    const { conversation, take } = converse(this.#state);
    conversation.receive(Buffer.from(bytes, "latin1"));
    conversation.close();
    return take();
  }
}

/** Makes random conversations from a seed. */
export function randomCases(seed: number, count: number): Line[] {
  const generator = new RequestGenerator(seed);
  return Array.from({ length: count }, () => raw(generator.conversation()));
}
