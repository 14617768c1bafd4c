/**
 * What can be watched from outside, through `node:diagnostics_channel`. Nothing is built unless
 * somebody listens, and no message ever holds a key.
 */
import { type Channel, channel } from "node:diagnostics_channel";
import type {
  CommandMessage,
  ConnectionMessage,
  DiscoveryMessage,
  FetchMessage,
  ServerMessage,
} from "./messages.ts";

export const commandStart = channel("memwire:command:start") as Channel<unknown, CommandMessage>;
export const commandEnd = channel("memwire:command:end") as Channel<unknown, CommandMessage>;
export const connectionEvents = channel("memwire:connection") as Channel<
  unknown,
  ConnectionMessage
>;
export const discoveryEvents = channel("memwire:discovery") as Channel<
  unknown,
  DiscoveryMessage
>;
export const fetchEvents = channel("memwire:fetch") as Channel<unknown, FetchMessage>;
export const serverEvents = channel("memwire:server") as Channel<unknown, ServerMessage>;
