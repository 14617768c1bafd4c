/**
 * What can be watched from outside through `node:diagnostics_channel`. No message is made unless somebody
 * listens, and none ever holds a key.
 */
import { type Channel, channel } from "node:diagnostics_channel";
import type {
  CommandMessage,
  ConnectionMessage,
  DiscoveryMessage,
  FetchMessage,
  ServerMessage,
} from "./messages.ts";

/** A channel that carries messages of one type: node:diagnostics_channel types them all as unknown. */
function open<Message>(name: string): Channel<unknown, Message> {
  return channel(name) as Channel<unknown, Message>;
}

export const commandStart: Channel<unknown, CommandMessage> = open("memwire:command:start");
export const commandEnd: Channel<unknown, CommandMessage> = open("memwire:command:end");
export const connectionEvents: Channel<unknown, ConnectionMessage> = open("memwire:connection");
export const discoveryEvents: Channel<unknown, DiscoveryMessage> = open("memwire:discovery");
export const fetchEvents: Channel<unknown, FetchMessage> = open("memwire:fetch");
export const serverEvents: Channel<unknown, ServerMessage> = open("memwire:server");
