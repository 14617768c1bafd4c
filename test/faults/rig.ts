/**
 * A client of a scripted server that has a fault on its first connection and behaves on all later ones, so that
 * after each fault a test can check that the next call gets its own answer.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { Memcached, type MemcachedOptions } from "../../mod.ts";
import { PATIENT } from "../support/patient.ts";
import { done, hit } from "../support/replies.ts";
import {
  type Command,
  type Peer,
  type ScriptedServer,
  startScriptedServer,
} from "../support/scripted_server.ts";

export { PATIENT };

export const DIALECTS = ["meta", "classic"] as const;
export type Dialect = (typeof DIALECTS)[number];

/** Returns the value that the behaving server has under a key. */
export function valueOf(key: string): string {
  return `the value of ${key}`;
}

/** Makes the correct reply to a command; every key exists. */
export function answer(command: Command): Buffer {
  const { name, line } = command;
  if (name === "version") return Buffer.from("VERSION 1.6.18\r\n");
  if (name === "incr" || name === "decr") return Buffer.from("5\r\n");
  if (name === "ma") return Buffer.from(`VA 1 O${command.opaque}\r\n5\r\n`);
  if (name === "mg" && !/ v /.test(line)) return done(command);
  if (!["mg", "get", "gets"].includes(name)) return done(command);
  const keys = name === "mg" ? [command.key] : command.args;
  const parts = keys.map((key) => hit({ ...command, key }, valueOf(key)));
  // One END, after the last VALUE.
  return Buffer.concat(parts.map((part, i) => i === keys.length - 1 ? part : withoutEnd(part)));
}

function withoutEnd(part: Buffer): Buffer {
  return part.subarray(0, part.length - "END\r\n".length);
}

/** Answers every command correctly, until the client goes. */
export async function behave(peer: Peer): Promise<void> {
  for (;;) await peer.write(answer(await peer.next()));
}

/** A client and its server. */
export class Rig implements AsyncDisposable {
  readonly server: ScriptedServer;
  readonly client: Memcached;

  constructor(server: ScriptedServer, client: Memcached) {
    this.server = server;
    this.client = client;
  }

  /** Asserts that the next call gets its own answer, over a connection that is in step. */
  async assertRecovered(key = "after"): Promise<void> {
    assert.equal(await this.client.get(key), valueOf(key));
    await this.client.set(key, "x");
    assert.equal(await this.client.get(`${key}2`), valueOf(`${key}2`));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.close();
    await this.server.stop();
  }
}

/** Sets up a client and a server whose first connection runs `fault`. */
export async function rig(
  dialect: Dialect,
  fault: (peer: Peer) => void | Promise<void>,
  options: MemcachedOptions = {},
): Promise<Rig> {
  const server = await startScriptedServer(
    (peer) => peer.index === 0 ? fault(peer) : behave(peer),
    { dialect },
  );
  return new Rig(server, new Memcached(server.address, { ...PATIENT, ...options }));
}

/** The outcome of a call. */
export interface Outcome {
  readonly value?: unknown;
  readonly error?: Error & { code?: string; ambiguous?: boolean };
  /** The milliseconds until its end. */
  readonly ms: number;
}

/** Waits for the end of a call, and never rejects. */
export async function outcome(call: Promise<unknown>): Promise<Outcome> {
  const start = performance.now();
  try {
    const value = await call;
    return { value, ms: performance.now() - start };
  } catch (error) {
    return { error: error as Error, ms: performance.now() - start };
  }
}

// A call that sends nothing takes a few promises to settle.
const MICROTASKS = 20;

/** The outcome of a call that settles at once: before anything is read or written, and before any timer. */
export async function outcomeAtOnce(call: Promise<unknown>): Promise<Outcome> {
  let end: Outcome | undefined;
  void outcome(call).then((found) => end = found);
  for (let i = 0; i < MICROTASKS; i++) await undefined;
  assert.ok(end !== undefined, "the call waits");
  return end;
}
