/** Reads the list of nodes that a configuration endpoint sends: `host|ip|port host|ip|port...`. */
import { isIp } from "../address.ts";

/** One node. */
export interface Node {
  readonly host: string;
  readonly port: number;
  /** The address; undefined: the list has none, so the name is looked up. */
  readonly ip: string | undefined;
}

/** The nodes in the order of the list, or undefined if the list is empty or malformed. */
export function readNodes(list: string): readonly Node[] | undefined {
  const nodes = list.trim().split(/ +/).map(readNode);
  return nodes.every((node) => node !== undefined) ? nodes : undefined;
}

function readNode(text: string): Node | undefined {
  const [, name = "", ip = "", digits = ""] = /^([^|]*)\|([^|]*)\|(\d{1,5})$/.exec(text) ?? [];
  const host = name === "" ? ip : name;
  const port = Number(digits);
  const known = /^[\w.-]+$/.test(host) || isIp(host);
  if (!known || port < 1 || port > 65_535 || (ip !== "" && !isIp(ip))) return undefined;
  return { host, port, ip: ip === "" || ip === host ? undefined : ip };
}
