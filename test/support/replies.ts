/**
 * Makes correct replies to a command, in the dialect in which it came, for scripted servers that behave most of
 * the time.
 */
import { Buffer } from "node:buffer";
import type { Command } from "./scripted_server.ts";

/** What a hit tells about an item. */
export interface Details {
  readonly flags?: number;
  readonly cas?: bigint;
  /** Seconds until the item expires; -1: never. */
  readonly ttl?: number;
}

/** The reply to a get, gets, gat, gats or mg that finds an item. */
export function hit(command: Command, value: string | Uint8Array, details: Details = {}): Buffer {
  const { flags = 16, cas = 7n, ttl = -1 } = details;
  const data = Buffer.from(value as Uint8Array);
  if (command.name !== "mg") {
    const token = command.name.endsWith("s") ? ` ${cas}` : "";
    const head = `VALUE ${command.key} ${flags} ${data.length}${token}\r\n`;
    return Buffer.concat([Buffer.from(head), data, Buffer.from("\r\nEND\r\n")]);
  }
  const answers: Record<string, string> = {
    f: `f${flags}`,
    c: `c${cas}`,
    t: `t${ttl}`,
    s: `s${data.length}`,
    k: `k${command.key}`,
  };
  const asked = command.args.slice(1);
  const words = asked.map((flag) => flag.startsWith("O") ? flag : answers[flag]).filter(Boolean);
  if (!asked.includes("v")) return Buffer.from(["HD", ...words].join(" ") + "\r\n");
  const head = ["VA", data.length, ...words].join(" ") + "\r\n";
  return Buffer.concat([Buffer.from(head), data, Buffer.from("\r\n")]);
}

/** The reply if there is no item. */
export function miss(command: Command): Buffer {
  const classic: Record<string, string> = { touch: "NOT_FOUND", delete: "NOT_FOUND" };
  const meta: Record<string, string> = { mg: "EN", md: "NF", ma: "NF", ms: "NF" };
  return status(command, meta[command.name] ?? "NF", classic[command.name] ?? "END");
}

/** The reply of success: stored, deleted or touched. */
export function done(command: Command): Buffer {
  const classic: Record<string, string> = { touch: "TOUCHED", delete: "DELETED" };
  return status(command, "HD", classic[command.name] ?? "STORED");
}

/** Makes any status line, with the opaque that the meta dialect needs. */
export function status(command: Command, meta: string, classic: string): Buffer {
  if (!/^m[a-z]$/.test(command.name)) return Buffer.from(`${classic}\r\n`);
  const opaque = command.opaque === undefined ? "" : ` O${command.opaque}`;
  return Buffer.from(`${meta}${opaque}\r\n`);
}
