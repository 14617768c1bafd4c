/**
 * How a session store reaches the inside of a client. The client may come from another copy of this
 * package in the same process: npm may install a second one for a dependency, and a bundler puts one into
 * each of its bundles. `instanceof` and `#private` fields work only within one copy, so a client carries
 * its inside under a symbol that all copies share.
 *
 * The inside is not a public interface and changes from version to version. A client of another version
 * is therefore refused, with both versions in the message.
 */
import { invalidType } from "../errors.ts";
import type { Core } from "./core.ts";

/** The version of this package. A test compares it with package.json. */
export const VERSION = "0.1.0";

const INSIDE = Symbol.for("memwire.Memcached");

/** What a client carries under the symbol. */
interface Inside {
  readonly version: string;
  readonly core: Core;
}

/** Lets every copy of this version reach the client's core. */
export function shareCore(client: object, core: Core): void {
  const inside: Inside = { version: VERSION, core };
  Object.defineProperty(client, INSIDE, { value: inside });
}

/** The inside of a client, for the floors above. Throws a TypeError for anything else and for a client of another version. */
export function coreOf(client: object): Core {
  // A caller without types may pass anything.
  const inside = (client as { [INSIDE]?: Inside } | null)?.[INSIDE];
  if (inside === undefined) throw invalidType("client must be a Memcached");
  if (inside.version === VERSION) return inside.core;
  throw invalidType(
    `two versions of memwire are loaded: the client is of ${inside.version}, and the session store ` +
      `of ${VERSION}; install one version, or give the store servers instead of a client`,
  );
}
