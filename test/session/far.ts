/** A relay that makes a server seem far away: it delays all bytes in both directions. */
import { connect, createServer, type Socket } from "node:net";

/** Starts a relay to the server at "host:port". */
export async function startFar(address: string, ms: number): Promise<Far> {
  const at = address.lastIndexOf(":");
  const target = { host: address.slice(0, at), port: Number(address.slice(at + 1)), noDelay: true };
  const sockets = new Set<Socket>();
  const listener = createServer({ noDelay: true }, (client) => {
    const server = connect(target);
    for (const [from, to] of [[client, server], [server, client]] as const) {
      sockets.add(from);
      from.on("error", () => {}); // "close" follows
      from.on(
        "data",
        (bytes) => setTimeout(() => to.destroyed || to.write(bytes as Uint8Array), ms),
      );
      from.on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  return {
    address: `127.0.0.1:${(listener.address() as { port: number }).port}`,
    stop: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => listener.close(() => resolve()));
    },
  };
}

/** Use startFar. */
export interface Far {
  readonly address: string;
  stop(): Promise<void>;
}
