/**
 * Lone gets of one tick on one line: in the classic dialect memcached 1.6.18 flushes after each `get`,
 * which costs it four times what a key on a longer line does (2.1 us against 0.5).
 */
import { type Finish, Request } from "./request.ts";
import { Kind } from "../protocol/reply.ts";

/**
 * A request that stands for several gets and hands each its own reply. A member whose value has come
 * is settled at once, one without a value when the line ends.
 */
export function getLine(members: readonly Request<unknown>[]): Request<void> {
  const askers = byKey(members);
  const line = new Request<void>("getMany", "", handOut([...askers.values()]), 0);
  line.members = members;
  line.keys = [...askers.keys()];
  return line;
}

/** A key stands on the line once, however many have asked for it: so no reply is anybody else's. */
function byKey(members: readonly Request<unknown>[]): Map<string, Request<unknown>[]> {
  const askers = new Map<string, Request<unknown>[]>();
  for (const member of members) {
    const same = askers.get(member.key);
    if (same === undefined) askers.set(member.key, [member]);
    else same.push(member);
  }
  return askers;
}

function handOut(askers: readonly (readonly Request<unknown>[])[]): Finish<void> {
  return (reply) => {
    if (reply.kind === Kind.value) {
      const members = askers[reply.index] as readonly Request<unknown>[];
      // A value may be kept without a copy by one only.
      if (members.length > 1) reply.owned = false;
      for (const member of members) {
        member.take(reply);
        member.settle();
      }
    } else if (reply.kind === Kind.error) {
      for (const member of askers.slice(reply.index, reply.upTo).flat()) member.refuse(reply.error);
    }
  };
}
