/**
 * Puts single gets of one batch on one line: in the classic dialect memcached 1.6.18 flushes after each
 * `get`, which costs it four times what a key on a longer line does (2.1 us against 0.5).
 */
import { KEEP_EXPTIME } from "../protocol/command.ts";
import { type Finish, Request } from "./request.ts";
import { Kind, type Reply } from "../protocol/reply.ts";

/** The word that begins a line: with `gets` each value comes with its token. */
export type LineWord = "get" | "gets";

/** The line that a request can share; undefined: none. */
export function lineWordOf({ operation, exptime }: Request<unknown>): LineWord | undefined {
  if (operation === "get") return "get";
  // `fetch` asks by "lease".
  if (operation === "lease" || (operation === "gets" && exptime === KEEP_EXPTIME)) return "gets";
  return undefined;
}

/**
 * A request that stands for several gets and hands each of them its own reply. A member whose value has
 * come is settled at once, one without a value when the line ends. A key stands on the line once, however
 * many gets ask for it, so each VALUE has one place to go.
 */
export function getLine(word: LineWord, members: readonly Request<unknown>[]): Request<void> {
  const keys = new Set<string>();
  for (const { key } of members) keys.add(key);
  const askers = keys.size === members.length ? members : byKey(members);
  const operation = word === "get" ? "getMany" : "getsMany";
  const line = new Request<void>(operation, "", handOut(askers), 0);
  line.members = members;
  line.keys = [...keys];
  return line;
}

/** The get, or the gets, of one key. */
type Asker = Request<unknown> | readonly Request<unknown>[];

function byKey(members: readonly Request<unknown>[]): Asker[] {
  const askers = new Map<string, Request<unknown>[]>();
  for (const member of members) {
    const same = askers.get(member.key);
    if (same === undefined) askers.set(member.key, [member]);
    else same.push(member);
  }
  return [...askers.values()];
}

function handOut(askers: readonly Asker[]): Finish<void> {
  return (reply) => {
    if (reply.kind === Kind.value) {
      const asker = askers[reply.index]!;
      if (asker instanceof Request) return answer(asker, reply);
      // Only one get may keep a value without a copy.
      reply.owned = false;
      for (const member of asker) {
        answer(member, reply);
        reply.kind = Kind.value; // a stub was a miss for that one
      }
      return;
    }
    for (const member of askers.slice(reply.index, reply.upTo).flat()) {
      if (reply.kind === Kind.error) member.refuse(reply.error);
      else member.take(reply);
    }
  };
}

function answer(member: Request<unknown>, reply: Reply): void {
  member.take(reply);
  member.settle();
}
