/** CRC-32 (IEEE 802.3, as zlib's `crc32`) of a text's UTF-8, by table. */
import { utf8 } from "./bytes.ts";

const TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

/** The checksum, unsigned. */
export function crc32(text: string): number {
  let crc = -1;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7f) return crc32Bytes(utf8(text));
    crc = (crc >>> 8) ^ TABLE[(crc ^ code) & 0xff]!;
  }
  return ~crc >>> 0;
}

function crc32Bytes(bytes: Uint8Array): number {
  let crc = -1;
  for (const byte of bytes) crc = (crc >>> 8) ^ TABLE[(crc ^ byte) & 0xff]!;
  return ~crc >>> 0;
}
