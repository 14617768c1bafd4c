import { Buffer } from "node:buffer";
import process from "node:process";
import { Memcached } from "memwire";

// Compile this file to JavaScript, and put into next.config.js:
// cacheHandler: require.resolve("./next_cache_handler.js"), cacheMaxMemorySize: 0

interface Entry {
  value: unknown;
  lastModified: number;
  tags: string[];
}

const client = new Memcached(process.env["MEMCACHED_SERVERS"] ?? "localhost:11211", {
  prefix: `next:${process.env["NEXT_BUILD"] ?? ""}:`, // a build must not serve another build's pages
  unsafeKeys: "hash",
});
const tagKey = (tag: string): string => `tag:${tag}`;

/** Next.js' cache in memcached, for all servers of an application. */
export default class CacheHandler {
  async get(key: string, { softTags = [] }: { softTags?: string[] } = {}): Promise<Entry | null> {
    const entry = await client.get<Entry>(`page:${key}`);
    if (entry === undefined) return null;
    const times = await client.getMany<number>([...entry.tags, ...softTags].map(tagKey));
    // An absent tag was evicted, and may have been revalidated before that.
    if (entry.tags.some((tag) => !times.has(tagKey(tag)))) return null;
    if ([...times.values()].some((time) => time >= entry.lastModified)) return null;
    return revived(entry) as Entry;
  }

  async set(
    key: string,
    value: unknown,
    context: { tags?: string[]; revalidate?: unknown } = {},
  ): Promise<void> {
    const { headers } = (value ?? {}) as { headers?: Record<string, unknown> };
    const ofPage = headers?.["x-next-cache-tags"];
    const tags = [...context.tags ?? [], ...ofPage === undefined ? [] : `${ofPage}`.split(",")];
    await Promise.all(tags.map((tag) => client.add(tagKey(tag), 0)));
    const entry: Entry = { value, lastModified: Date.now(), tags };
    // Keep a page for twice as long as it is fresh: Next.js shows the old page while it makes the new one.
    const ttl = typeof context.revalidate === "number" ? 2 * context.revalidate : 0;
    await client.set(`page:${key}`, entry, { ttl });
  }

  async revalidateTag(tags: string | string[]): Promise<void> {
    const now = Date.now();
    await client.setMany([tags].flat().map((tag) => [tagKey(tag), now] as const));
  }

  resetRequestCache(): void {}
}

/** Turns Uint8Arrays, which memwire returns, into the Buffers that Next.js needs. */
function revived(data: unknown): unknown {
  if (data instanceof Uint8Array) return Buffer.from(data.buffer, data.byteOffset, data.length);
  if (data instanceof Map) {
    return new Map(Array.from(data, ([key, part]) => [key, revived(part)]));
  }
  if (typeof data !== "object" || data === null || Array.isArray(data)) return data;
  return Object.fromEntries(Object.entries(data).map(([key, part]) => [key, revived(part)]));
}
