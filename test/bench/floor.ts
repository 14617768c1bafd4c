/**
 * The floor: a bare socket that sends the same bytes as memwire, and only counts the bytes of the replies. It
 * checks, parses and times nothing, and makes no promises.
 */
import { connect, type Socket } from "node:net";
import type { Buffer } from "node:buffer";
import type { Contender } from "./contender.ts";
import { keysOf, manyKeysOf, type Workload } from "./workloads.ts";

// It has the usual length of memwire's opaques.
const OPAQUE = "O1234";

/** A bare node:net socket. */
export const floor: Contender = async (workload, place) => {
  if (["session", "withSession", "beside"].includes(workload.kind)) return undefined;
  const sockets = await Promise.all(
    place.memcached.slice(0, workload.servers ?? 1).map(open),
  );
  const keys = keysOf(workload);
  const value = "x".repeat(workload.size);
  const flags = workload.value === "text" ? 16 : 0;
  for (const socket of sockets) {
    socket.write(
      keys.map((key) => `set ${key} ${flags} 0 ${value.length}\r\n${value}\r\n`)
        .join(""),
    );
    await receive(socket, keys.length * "STORED\r\n".length);
  }
  const { requests, replyBytes } = bytesOf(workload, value, flags);
  const share = Math.ceil(workload.inFlight / sockets.length);
  return {
    async run(ms): Promise<number> {
      const counts = await Promise.all(
        sockets.map((socket) => drive(socket, requests, replyBytes, share, ms)),
      );
      return counts.reduce((sum, count) => sum + count, 0);
    },
    close(): void {
      for (const socket of sockets) socket.destroy();
    },
  };
};

function bytesOf(
  workload: Workload,
  value: string,
  flags: number,
): { requests: string[]; replyBytes: number } {
  const keys = keysOf(workload);
  const hit = `VA ${value.length} f${flags} ${OPAQUE}\r\n${value}\r\n`.length;
  switch (workload.kind) {
    case "set":
      return {
        requests: keys.map((key) =>
          `ms ${key} ${value.length}${flags === 0 ? "" : ` F${flags}`} ${OPAQUE}\r\n${value}\r\n`
        ),
        replyBytes: `HD ${OPAQUE}\r\n`.length,
      };
    case "getMany": {
      const line = (key: string): string => `mg ${key} v f ${OPAQUE}\r\n`;
      const many = manyKeysOf(workload);
      return { requests: [many.map(line).join("")], replyBytes: many.length * hit };
    }
    default:
      return {
        requests: keys.map((key) => `mg ${key} v f ${OPAQUE}\r\n`),
        replyBytes: hit,
      };
  }
}

function drive(
  socket: Socket,
  requests: readonly string[],
  replyBytes: number,
  inFlight: number,
  ms: number,
): Promise<number> {
  return new Promise((resolve) => {
    let next = 0;
    let received = 0;
    let sent = 0;
    let done = 0;
    let over = false;
    setTimeout(() => over = true, ms);
    const send = (count: number): void => {
      let text = "";
      for (let i = 0; i < count; i++) {
        text += requests[next++ % requests.length];
      }
      sent += count;
      socket.write(text, "latin1");
    };
    socket.removeAllListeners("data");
    socket.on("data", (chunk: Buffer) => {
      received += chunk.length;
      const replies = Math.floor(received / replyBytes);
      received -= replies * replyBytes;
      done += replies;
      if (!over) {
        if (replies > 0) send(replies);
      } else if (done === sent) resolve(done);
    });
    send(inFlight);
  });
}

function open(address: string): Promise<Socket> {
  const [host, port] = address.split(":");
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: host as string,
      port: Number(port),
      noDelay: true,
    });
    socket.once("connect", () => resolve(socket));
    socket.once("error", reject);
  });
}

function receive(socket: Socket, bytes: number): Promise<void> {
  return new Promise((resolve) => {
    let received = 0;
    socket.on("data", (chunk: Buffer) => {
      received += chunk.length;
      if (received >= bytes) resolve();
    });
  });
}
