/** The outcome of a call for many keys or all servers if some of them have failed. */
import { type MemcachedError, PartialError } from "../errors.ts";

// How many addresses a message names for each code. A cluster may have hundreds.
const MAX_ADDRESSES = 4;

/**
 * Returns the results. Throws a PartialError that holds them if anything has failed, or the error itself
 * if there is only one server. `total`: the number of keys or servers.
 */
export function partial<R>(
  results: Map<string, R>,
  errors: Map<string, MemcachedError>,
  what: "keys" | "servers",
  total: number = results.size + errors.size,
): Map<string, R> {
  if (errors.size === 0) return results;
  const all = [...errors.values()];
  if (what === "servers" && total === 1) throw all[0];
  const counts = new Map(all.map((error) => [error, 1]));
  throw partialError(results, counts, () => errors, what, total);
}

/** Makes a PartialError; `counts`: how many of the `total` have failed with each error. */
export function partialError<R>(
  results: Map<string, R>,
  counts: ReadonlyMap<MemcachedError, number>,
  errors: () => Map<string, MemcachedError>,
  what: "keys" | "servers",
  total: number,
): PartialError<R> {
  const all = [...counts.keys()];
  const [first] = all;
  const failed = [...counts.values()].reduce((sum, count) => sum + count, 0);
  const message = `${failed} of ${total} ${what} failed: ${reasons(counts)}`;
  return new PartialError(message, { results, errors }, {
    server: first?.server,
    cause: first,
    ambiguous: all.some((error) => error.ambiguous),
  });
}

/** How often each code came, and from where: "2 SERVER_DOWN (10.0.0.1:11211), 1 TIMEOUT (10.0.0.2:11211)". */
function reasons(counts: ReadonlyMap<MemcachedError, number>): string {
  const byCode = new Map<string, { count: number; addresses: Set<string> }>();
  for (const [{ code, server }, count] of counts) {
    let reason = byCode.get(code);
    if (reason === undefined) byCode.set(code, reason = { count: 0, addresses: new Set() });
    reason.count += count;
    if (server !== undefined) reason.addresses.add(server.address);
  }
  return Array.from(byCode, ([code, { count, addresses }]) => {
    if (addresses.size === 0) return `${count} ${code}`;
    const shown = [...addresses].slice(0, MAX_ADDRESSES).join(", ");
    const more = addresses.size - MAX_ADDRESSES;
    return `${count} ${code} (${shown}${more > 0 ? ` and ${more} more` : ""})`;
  }).join(", ");
}
