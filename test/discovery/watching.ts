/** Helpers for the tests of discovery: nodes on loopback addresses, and the messages of the channel. */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { TestContext } from "node:test";
import type { DiscoveryMessage } from "../../mod.ts";
import { MemcachedServer } from "../../src/testing/mod.ts";

/** Collects what is published on `memwire:discovery` until the test ends. */
export function listen(t: TestContext): DiscoveryMessage[] {
  const told: DiscoveryMessage[] = [];
  const note = (message: unknown): unknown => told.push(message as DiscoveryMessage);
  subscribe("memwire:discovery", note);
  t.after(() => unsubscribe("memwire:discovery", note));
  return told;
}

/** A node of a fleet: its name, its address, and its server. */
export interface FleetNode {
  readonly host: string;
  readonly ip: string;
  readonly port: number;
  readonly server: MemcachedServer;
}

/** Starts an embedded server as a node of a fleet, on a loopback address. */
export async function startNode(host: string, ip: string): Promise<FleetNode> {
  const server = await MemcachedServer.start({ host: ip });
  return { host, ip, port: Number(server.address.split(":")[1]), server };
}

/** Starts the same node at another address: another machine with its name and port. */
export async function replaceNode({ host, port }: FleetNode, ip: string): Promise<FleetNode> {
  const server = await MemcachedServer.start({ host: ip, port });
  return { host, ip, port, server };
}

/** Makes a server list these nodes as its cluster. */
export function announce(
  server: MemcachedServer,
  version: number,
  nodes: readonly FleetNode[],
): void {
  server.setCluster(version, nodes.map(({ host, ip, port }) => ({ host, ip, port })));
}
