/**
 * Connections that end, by FIN or by RST, at every byte of a reply. If no byte of the reply came, calls that may
 * be retried are, on another connection. If a part of it came, the call rejects and is not retried.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { describe, test } from "node:test";
import { ConnectionLostError, Memcached, PartialError } from "../../mod.ts";
import { hit } from "../support/replies.ts";
import { type Command, type Peer, startScriptedServer } from "../support/scripted_server.ts";
import { answer, type Dialect, DIALECTS, type Outcome, outcome, PATIENT, valueOf } from "./rig.ts";

const LARGE = "0123456789".repeat(4_000);

interface Call {
  readonly run: (client: Memcached) => Promise<unknown>;
  /** What the call resolves to. */
  readonly right: unknown;
  /** How many commands the call sends in this dialect. */
  readonly commands: Readonly<Record<Dialect, number>>;
  /** Whether it is sent again if nothing of its reply came. */
  readonly retried: boolean;
  /** Whether it rejects with `ambiguous` if its reply is lost. */
  readonly ambiguous: boolean;
  /** The server's replies to each of its commands. */
  readonly reply?: (command: Command) => Uint8Array;
  /** The bytes at which the reply is cut. Default: all. */
  readonly cuts?: (length: number) => number[];
  /** How many bytes at the end of the reply add nothing to what is known. Default: none. */
  readonly idle?: Readonly<Record<Dialect, number>>;
}

const one = { meta: 1, classic: 1 };
const read = { commands: one, retried: true, ambiguous: false };
const write = { commands: one, retried: false, ambiguous: true };
const large = (command: Command): Uint8Array => hit(command, LARGE);
const some = (length: number): number[] =>
  [0, 1, 20, 40, 16_383, 16_384, 16_385, 20_000].concat(
    [20, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0].map((left) => length - left),
  );

const CALLS: Readonly<Record<string, Call>> = {
  get: { ...read, run: (m) => m.get("k"), right: valueOf("k") },
  "get of a large value": {
    ...read,
    run: (m) => m.get("k"),
    right: LARGE,
    reply: large,
    cuts: some,
  },
  getMany: {
    ...read,
    run: (m) => m.getMany(["k", "l", "m"]),
    right: new Map(["k", "l", "m"].map((key) => [key, valueOf(key)])),
    commands: { meta: 3, classic: 1 },
    // All keys were found, so END adds nothing.
    idle: { meta: 0, classic: "END\r\n".length },
  },
  getAndTouch: {
    ...read,
    run: (m) => m.getAndTouch("k", 60),
    right: valueOf("k"),
    commands: { meta: 1, classic: 2 },
  },
  has: { ...read, run: (m) => m.has("k"), right: true },
  touch: { ...read, run: (m) => m.touch("k", 60), right: true },
  delete: { ...read, run: (m) => m.delete("k"), right: true },
  set: { ...write, run: (m) => m.set("k", "v"), right: undefined },
  increment: { ...write, run: (m) => m.increment("k"), right: 5n },
};

/** Tries one cut: the call, followed by a get and a set, to a server that ends after `at` bytes. */
async function cut(
  dialect: Dialect,
  { run, commands, reply = answer }: Call,
  at: number,
  end: (peer: Peer) => void | Promise<void>,
): Promise<{ ended: Outcome[]; length: number; begins: number[]; sent: number }> {
  let length = 0;
  let begins: number[] = [];
  let sent = 0;
  const first = async (peer: Peer): Promise<void> => {
    const bytes: Uint8Array[] = [];
    for (let i = 0; i < commands[dialect]; i++) bytes.push(reply(await peer.next()));
    await peer.next();
    await peer.next();
    const all = Buffer.concat(bytes);
    length = all.length;
    const values = all.toString("latin1").matchAll(/^(?:VA|VALUE) /gm);
    begins = [0, ...Array.from(values, ({ index }) => index)];
    if (at > 0) await peer.write(all.subarray(0, at));
    await end(peer);
  };
  const later = async (peer: Peer): Promise<void> => {
    for (;;) {
      const command = await peer.next();
      if (command.key === "k") sent++;
      await peer.write(command.key === "k" ? withOthers(command, reply) : answer(command));
    }
  };
  await using server = await startScriptedServer(
    (peer) => peer.index === 0 ? first(peer) : later(peer),
    { dialect },
  );
  await using client = new Memcached(server.address, PATIENT);
  // The set separates the gets, which could share a line.
  const ended = await Promise.all([
    outcome(run(client)),
    outcome(client.set("between", "v")),
    outcome(client.get("behind")),
  ]);
  ended.push(await outcome(client.get("next")));
  return { ended, length, begins, sent };
}

/** The repeated get and the get after it share one line, and both are answered. */
function withOthers(command: Command, reply: (command: Command) => Uint8Array): Uint8Array {
  if (reply !== large || command.args.length === 1 || command.name !== "get") return reply(command);
  const others = answer({ ...command, key: "behind", args: ["behind"] });
  return Buffer.concat([reply(command).subarray(0, -"END\r\n".length), others]);
}

function assertRejected(call: Call, { error, value }: Outcome, at: number): void {
  assert.ok(error !== undefined, `at ${at} it resolved to ${String(value)}`);
  const lost = error instanceof PartialError ? [...error.errors.values()] : [error];
  for (const each of lost) {
    assert.ok(each instanceof ConnectionLostError, `at ${at}: ${each}`);
    assert.equal(each.ambiguous, call.ambiguous, `at ${at}`);
  }
  if (!(error instanceof PartialError)) return;
  for (const [key, found] of error.results) assert.equal(found, valueOf(key));
  assert.ok(error.results.size + error.errors.size === 3);
}

function assertFine({ ended: [, between, behind, next] }: Awaited<ReturnType<typeof cut>>): void {
  assert.equal(behind?.value, valueOf("behind"), "no byte of its reply had come: retried");
  const { error } = between as Outcome;
  assert.ok(error instanceof ConnectionLostError && error.ambiguous, "never retried");
  assert.equal(next?.value, valueOf("next"));
}

for (const dialect of DIALECTS) {
  describe(`connections that end, ${dialect}`, () => {
    for (const [name, call] of Object.entries(CALLS)) {
      test(`FIN at every byte of the reply to ${name}`, async () => {
        const fin = (peer: Peer): void => peer.end();
        const whole = await cut(dialect, call, 1_000_000, fin);
        assert.deepEqual(whole.ended[0]?.value, call.right);
        assert.equal(whole.sent, 0);
        const all = Array.from({ length: whole.length + 1 }, (_, at) => at);
        await inTurns(call.cuts?.(whole.length) ?? all, async (at) => {
          const result = await cut(dialect, call, at, fin);
          const [own] = result.ended as [Outcome];
          if (at >= whole.length - (call.idle?.[dialect] ?? 0)) {
            assert.deepEqual(own.value, call.right);
          } else if (whole.begins.includes(at) && call.retried) {
            // No byte of a reply is lost: only what was not answered (in getMany, single keys) is asked again.
            assert.deepEqual(own.value, call.right);
          } else assertRejected(call, own, at);
          assert.equal(result.sent > 0, at === 0 && call.retried, `sent again, at ${at}`);
          assertFine(result);
        });
      });

      test(`RST at every byte of the reply to ${name}`, async () => {
        const rst = (peer: Peer): Promise<void> => peer.reset();
        const { length } = await cut(dialect, call, 0, rst);
        const all = Array.from({ length: length + 1 }, (_, at) => at);
        await inTurns(call.cuts?.(length) ?? all, async (at) => {
          const result = await cut(dialect, call, at, rst);
          const [own] = result.ended as [Outcome];
          // A RST may overtake what was written before it; then fewer bytes have come.
          if (own.error === undefined) {
            assert.deepEqual(own.value, call.right);
            assert.ok(at >= length - (call.idle?.[dialect] ?? 0) || call.retried);
          } else assertRejected(call, own, at);
          assert.ok(result.sent === 0 || call.retried, "a write is never sent again");
          assertFine(result);
        });
      });
    }
  });
}

/** Runs the cases, a few at a time. */
async function inTurns(
  cases: readonly number[],
  run: (at: number) => Promise<void>,
): Promise<void> {
  const left = [...cases];
  const worker = async (): Promise<void> => {
    for (let at = left.pop(); at !== undefined; at = left.pop()) await run(at);
  };
  await Promise.all(Array.from({ length: 16 }, worker));
}
