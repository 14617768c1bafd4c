/**
 * Bob Jenkins's one-at-a-time hash as libmemcached computes it (libhashkit/one_at_a_time.cc): each
 * byte is widened from a C `char`, which is signed on x86-64, so bytes from 0x80 up come in negative.
 */
import { utf8 } from "./bytes.ts";

/** The hash of the text's UTF-8, unsigned. */
export function oneAtATime(text: string): number {
  let hash = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7f) return oneAtATimeBytes(utf8(text));
    hash = mix(hash, code);
  }
  return finish(hash);
}

function oneAtATimeBytes(bytes: Uint8Array): number {
  let hash = 0;
  for (const byte of bytes) hash = mix(hash, (byte << 24) >> 24);
  return finish(hash);
}

function mix(hash: number, value: number): number {
  hash = (hash + value) | 0;
  hash = (hash + (hash << 10)) | 0;
  return hash ^ (hash >>> 6);
}

function finish(hash: number): number {
  hash = (hash + (hash << 3)) | 0;
  hash ^= hash >>> 11;
  return (hash + (hash << 15)) >>> 0;
}
