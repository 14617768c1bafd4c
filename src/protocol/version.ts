/** The rule for versions: how they compare, and which version brought what memwire uses. */

/** A version's three numbers. */
type Version = readonly [major: number, minor: number, patch: number];

/** Meta commands return the opaque on a miss too. */
export const META_SINCE: Version = [1, 6, 18];

/** `lru_crawler metadump hash` walks the hash table once; before, `all` walks each LRU (doc/protocol.txt). */
export const DUMP_HASH_SINCE: Version = [1, 6, 9];

/** `config get cluster`, of ElastiCache; before, the list was an item. */
export const CONFIG_SINCE: Version = [1, 4, 14];

/** A TLS server takes several records at once; older ones stall when several wait for them: see Socket.pace. */
export const UNPACED_SINCE: Version = [1, 6, 39];

/** Whether a text like "1.6.18" or "1.6.18_beta" is the version `least` or newer. Any other text is not. */
export function isAtLeast(version: string, least: Version): boolean {
  const numbers = /^(\d+)\.(\d+)\.(\d+)/.exec(version)?.slice(1).map(Number);
  if (numbers === undefined) return false;
  for (const [i, number] of numbers.entries()) {
    const difference = number - least[i]!;
    if (difference !== 0) return difference > 0;
  }
  return true;
}
