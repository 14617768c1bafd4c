/** `memwire where`: which server a key belongs to, and the order of the others, by the rules of any preset. */
import { DEFAULT_PORT, formatAddress, parseServers, type ServerSpec } from "../address.ts";
import { oneOf } from "../checks/values.ts";
import type { HashingName } from "../hashing/hashing.ts";
import { presets } from "../hashing/presets.ts";
import { checkKey } from "../protocol/key.ts";
import type { ServerRef } from "../server_ref.ts";

/** The arguments of the command. */
export interface WhereOptions {
  /** The whole key, with the client's prefix. */
  readonly key: string;
  /** The client's list of servers, separated by commas, or a JSON array if it has weights or ids. */
  readonly servers: string;
  readonly hashing: string;
  readonly json: boolean;
}

const NAMES = Object.keys(presets) as HashingName[];

/** The servers in the key's order, first the one that holds it. Throws a TypeError or RangeError for wrong input. */
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

/** Returns what the command prints. Throws as {@link orderOf} does. */
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

/** Whether the list is a JSON array. A bracket alone does not say so: an IPv6 address may begin with one too. */
function isJson(servers: string): boolean {
  return /^\s*\[\s*["[{]/.test(servers);
}

function readJson(text: string): readonly ServerSpec[] {
  try {
    return JSON.parse(text) as ServerSpec[];
  } catch {
    throw new TypeError("--servers looks like a JSON array, but is not valid JSON");
  }
}
