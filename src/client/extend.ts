/** append and prepend. */
import { keptValue } from "../connection/request.ts";
import { invalidType, ServerError } from "../errors.ts";
import { isWellFormed } from "../protocol/text.ts";
import type { Commands } from "./commands.ts";
import type { CallOptions } from "./options.ts";
import { takeBytes } from "./values/bytes.ts";

/**
 * Adds `data` at the end or the front; false: absent.
 *
 * "Not stored" is also memcached's answer if the value would become too large, if memory is short, or if
 * the item is on disk (1.6.18, do_store_item). A failure must not look like a miss, so afterwards it asks
 * whether the item is there.
 */
export async function extend(
  commands: Commands<unknown>,
  operation: "append" | "prepend",
  key: string,
  data: string | Uint8Array,
  options: CallOptions | undefined,
): Promise<boolean> {
  if (typeof data !== "string" && !(data instanceof Uint8Array)) {
    throw invalidType("what is appended or prepended must be a string or a Uint8Array");
  }
  if (typeof data === "string" && !isWellFormed(data)) {
    throw invalidType("text that is appended or prepended must not hold a lone surrogate");
  }
  const { core } = commands;
  const wireKey = core.wireKey(key);
  const own = keptValue(typeof data === "string" ? data : takeBytes(data)); // it may be sent a second time
  return await core.run(options, async (deadline) => {
    for (let again = false;; again = true) {
      if (await core.extend(operation, key, own, deadline.options())) return true;
      if (!await commands.has(key, deadline.options())) return false;
      // The first time, somebody may have stored it in between.
      if (!again) continue;
      const server = core.cluster.route(wireKey).ref;
      throw new ServerError(
        `${server.address} did not ${operation}: the value would be too large, memory is short, or the ` +
          "server keeps it on disk (extstore), where nothing can be added: use update",
        { server },
      );
    }
  });
}
