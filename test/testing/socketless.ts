/** The embedded server without its sockets. */
import { Buffer } from "node:buffer";
import type { Clock } from "../../src/testing/clock.ts";
import { Conversation } from "../../src/testing/conversation.ts";
import { checkOptions } from "../../src/testing/options.ts";
import { newState, type ServerState } from "../../src/testing/state.ts";

/** A server that only {@linkcode converse} can reach. */
export function socketless(clock: Clock): ServerState {
  const { settings } = checkOptions({ clock });
  return newState(settings, { port: 0, host: undefined, path: undefined });
}

/** A connection to it. */
export interface Talk {
  readonly conversation: Conversation;
  /** Returns the replies since the last call, one character per byte. */
  take(): string;
  isClosed(): boolean;
}

/** Opens a connection. */
export function converse(state: ServerState): Talk {
  let sent: Uint8Array[] = [];
  let closed = false;
  const resting: (() => void)[] = [];
  const conversation = new Conversation(state, {
    peer: "tcp:127.0.0.1:1",
    local: "tcp:127.0.0.1:2",
    write(pieces): boolean {
      sent.push(...pieces);
      return true;
    },
    push(): void {},
    rest: (done) => void resting.push(done),
    end(): void {
      closed = true;
    },
    destroy(): void {
      closed = true;
    },
  });
  const receive = conversation.receive.bind(conversation);
  conversation.receive = (chunk) => {
    receive(chunk);
    // There are no others, so it goes on after its rests.
    for (let done = resting.shift(); done !== undefined; done = resting.shift()) done();
  };
  return {
    conversation,
    take(): string {
      const text = Buffer.concat(sent).toString("latin1");
      sent = [];
      return text;
    },
    isClosed: () => closed,
  };
}
