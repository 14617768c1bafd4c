/**
 * Ending a connection with a RST.
 */
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * Drops the connection with a RST, behind what was written. Node and Deno end the socket first, so a FIN
 * may be seen before the RST.
 */
export async function reset(socket: Socket): Promise<void> {
  await sleep(5);
  // While a FIN is on its way Node's reset fails and loses the handle, and Node 24 spins at exit.
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
