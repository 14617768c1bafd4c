/**
 * The `cas` line, which both dialects send in its classic form (memcached's doc/protocol.txt, "Storage
 * commands"). A meta `ms` with a C flag is not used: if the server refuses it because the value is too
 * large or memory is short, it deletes what is stored without looking at the token (1.6.18 and newer),
 * and then nobody can tell the refusal from a logout. A `cas` line that is refused leaves what is stored
 * as it was.
 */
import type { Command } from "./command.ts";
import { Verdict, type VerdictName } from "./dialect.ts";
import { Kind, type Reply } from "./reply.ts";
import type { WriteBuffer } from "./write_buffer.ts";

/** Replies that a `cas` line can have; parseClassicLine reads them. */
const REPLIES = Kind.stored | Kind.exists | Kind.notFound | Kind.error;

/** Writes `cas <key> <flags> <exptime> <bytes> <token>` and the value. */
export function encodeCas(
  { key, flags, exptime, value, cas }: Command,
  out: WriteBuffer,
): void {
  out.store(`cas ${key} ${flags} ${exptime}`, value, ` ${cas}\r\n`);
}

/** Checks that the reply is one of a `cas` line, and translates it. */
export function acceptCas(reply: Reply): VerdictName {
  if ((reply.kind & REPLIES) === 0) return Verdict.wrong;
  if (reply.kind === Kind.stored) reply.kind = Kind.done;
  return Verdict.last;
}
