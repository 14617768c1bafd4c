/**
 * Ends a connection with a RST.
 */
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * Drops the connection with a RST, after everything that was written is sent. Node and Deno end the socket
 * first, so the client may see a FIN before the RST.
 */
export async function reset(socket: Socket): Promise<void> {
  await sleep(5);
  resetNow(socket);
}

/**
 * Drops the connection with a RST, at once. A socket that has begun to end is only destroyed: while its
 * FIN is on the way libuv refuses to reset it, and Node then loses the handle, so that the process never
 * exits.
 */
export function resetNow(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
