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
  const line = new Request<void>("getMany", "", handOut(members), 0);
  line.members = members;
  line.keys = members.map((member) => member.key);
  return line;
}

function handOut(members: readonly Request<unknown>[]): Finish<void> {
  return (reply) => {
    if (reply.kind === Kind.value) {
      const member = members[reply.index] as Request<unknown>;
      member.take(reply);
      member.settle();
    } else if (reply.kind === Kind.error) {
      for (const member of members.slice(reply.index, reply.upTo)) member.refuse(reply.error);
    }
  };
}
