/** `memwire where`: which server a key belongs to, and the order of all others, by the rules of any preset. */
import { DEFAULT_PORT, formatAddress, parseServers, type ServerSpec } from "../address.ts";
import { oneOf } from "../checks/values.ts";
import type { HashingName } from "../hashing/hashing.ts";
import { presets } from "../hashing/presets.ts";
import { checkKey } from "../protocol/key.ts";
import type { ServerRef } from "../server_ref.ts";

/** What is asked. */
export interface WhereOptions {
  /** The whole key, with the client's prefix. */
  readonly key: string;
  /** The list as the client has it; with weights or ids as the JSON of an array. */
  readonly servers: string;
  readonly hashing: string;
  readonly json: boolean;
}

const NAMES = Object.keys(presets) as HashingName[];

/** The servers in the key's order: the one that holds it first. Throws a TypeError or RangeError for wrong input. */
export function orderOf(
  key: string,
  servers: string | readonly ServerSpec[],
  hashing: string,
): readonly ServerRef[] {
  const { hashing: build, idOf } = presets[oneOf(hashing, NAMES, "hashing")];
  const listed = parseServers(servers).map((config) => ({
    ...config,
    id: config.id ?? idOf(config.address),
    address: formatAddress(config.address),
  }));
  const order = build(listed.map(({ id, weight }) => ({ id, weight }))).order(checkKey(key, ""));
  return Array.from(order, (index) => {
    const { id, address } = listed[index]!;
    return { id, address };
  });
}

/** What the command prints. Throws as {@link orderOf} does. */
export function where({ key, servers, hashing, json }: WhereOptions): string {
  const order = orderOf(key, isJson(servers) ? readJson(servers) : servers, hashing);
  if (json) return `${JSON.stringify({ key, hashing, server: order[0], order })}\n`;
  const width = String(order.length).length;
  return order.map(({ id, address }, i) => {
    const known = id === address || `${id}:${DEFAULT_PORT}` === address;
    const name = known ? "" : `  (${id} on the ring)`;
    return `${String(i + 1).padStart(width)}  ${address}${name}\n`;
  }).join("");
}

/** An IPv6 address may begin with a bracket too. */
function isJson(servers: string): boolean {
  return /^\s*\[\s*["[{]/.test(servers);
}

function readJson(text: string): readonly ServerSpec[] {
  try {
    return JSON.parse(text) as ServerSpec[];
  } catch {
    throw new TypeError("--servers begins like a JSON array, and is not one");
  }
}
