/** Waiting between tries. */
import { setTimeout } from "../connection/clock.ts";

/** Waits for a random time up to `mostMs`, so that writers that met once part. */
export function pause(mostMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.random() * mostMs));
}
