/**
 * npm's memcached. Flags: 0 text, 2 JSON, 4 bytes, 8 a number (memcached 2.2, lib/memcached.js). It stores each
 * byte as the character of that number, in UTF-8, and puts a backslash before each CR and LF of text and bytes.
 */
import { Buffer } from "node:buffer";
import { CorruptValueError } from "../../errors.ts";
import { type Stored, unknownFlags } from "./codec.ts";
import { readJson, writeJson } from "./json.ts";
import { bytesOf } from "./bytes.ts";
import { readNumber, readText } from "./reading.ts";
import { checkText, type Table } from "./table.ts";

const NAME = "npm's memcached";
const TEXT = 0;
const JSON_TEXT = 2;
const BYTES = 4;
const NUMBER = 8;

export const memcached: Table = {
  counterFlags: NUMBER,

  encode(value: unknown, stored: Stored): void {
    const bytes = bytesOf(value);
    if (bytes !== undefined) {
      const { buffer, byteOffset, byteLength } = bytes;
      stored.value = escape(Buffer.from(buffer, byteOffset, byteLength).toString("latin1"));
      stored.flags = BYTES;
    } else if (typeof value === "string") {
      stored.value = escape(checkText(value, NAME));
      stored.flags = TEXT;
    } else if (typeof value === "number") {
      stored.value = Object.is(value, -0) ? "-0" : String(value);
      stored.flags = NUMBER;
    } else {
      stored.value = writeJson(value, NAME);
      stored.flags = JSON_TEXT;
    }
  },

  decode(bytes, from, to, flags): unknown {
    switch (flags) {
      case TEXT:
        return unescape(readText(bytes, from, to, flags));
      case JSON_TEXT:
        return readJson(bytes, from, to, flags);
      case BYTES: {
        const text = unescape(readText(bytes, from, to, flags));
        // deno-lint-ignore no-control-regex -- one character for each byte
        if (/^[\x00-\xff]*$/.test(text)) return new Uint8Array(Buffer.from(text, "latin1"));
        throw new CorruptValueError(`flags ${flags}: the value is not bytes`, { flags });
      }
      case NUMBER:
        return readNumber(bytes.toString("latin1", from, to), flags);
      default:
        throw unknownFlags(flags);
    }
  },
};

function escape(text: string): string {
  return text.replace(/[\r\n]/g, "\\$&");
}

function unescape(text: string): string {
  return text.replace(/\\([\r\n])/g, "$1");
}
