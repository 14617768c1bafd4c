/**
 * A stub is an item that stands for a value which is not there. Every read treats it as a miss, whatever
 * the table of values says about its flags.
 *
 * memcached's own stub is the empty item that `mg` with an N flag makes for the caller that should
 * compute the value (doc/protocol.txt, "Meta Commands"). Its reply carries W for that caller and Z for
 * everybody else. The classic dialect cannot tell such a stub from an empty value.
 */
import type { Reply } from "./reply.ts";

/** Flags of the stub that stands while `fetch` loads a value. */
export const LOADING_FLAGS: number = 2 ** 16;
/** Flags of an absence that `fetch` remembers. */
export const ABSENT_FLAGS: number = 2 ** 17;

/** Whether flags mark a stub of memwire's own, at any size. */
export function isStubFlags(flags: number): boolean {
  return flags === LOADING_FLAGS || flags === ABSENT_FLAGS;
}

/** Whether the reply is about a stub. Where no value follows, the reply must have brought the size. */
export function isStub(reply: Reply): boolean {
  const { flags } = reply;
  if (flags !== 0) return isStubFlags(flags);
  return reply.leased && (reply.size === 0 || reply.itemSize === 0);
}
