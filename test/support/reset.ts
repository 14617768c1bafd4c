/**
 * Ending a connection with a RST.
 */
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** Drops the connection with a RST, behind what was written. */
export async function reset(socket: Socket): Promise<void> {
  await sleep(5);
  // While a FIN is on its way Node's reset fails and loses the handle, and Node 24 spins at exit.
  if (socket.writableEnded) return void socket.destroy();
  // Node and Deno end the socket first, and a FIN may be seen before the RST: this flag is all that
  // resetAndDestroy sets besides.
  if ("resetAndClosing" in socket) {
    socket.resetAndClosing = true;
    socket.destroy();
  } else socket.resetAndDestroy();
}
