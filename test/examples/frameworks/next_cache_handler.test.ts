// Next.js' cache handler: entries, tags, and two servers of one application.
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import process from "node:process";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startMemcached } from "../../support/memcached.ts";

const server = await startMemcached();
after(() => server.stop());
process.env["MEMCACHED_SERVERS"] = server.address;
const { default: CacheHandler } = await import("./next_cache_handler.ts");

test("pages and fetches are shared, Buffers stay Buffers", async () => {
  const [one, two] = [new CacheHandler(), new CacheHandler()];
  assert.equal(await two.get("/none"), null);
  const page: Record<string, unknown> = {
    kind: "APP_PAGE",
    html: "<p>",
    rscData: Buffer.from("rsc"),
    segmentData: new Map([["/_tree", Buffer.from("tree")]]),
    headers: { "x-next-cache-tags": "_N_T_/layout,_N_T_/a page" },
  };
  await one.set("/a page", page, { revalidate: 60 });
  const found = await two.get("/a page");
  assert.deepEqual(found?.value, page);
  const { rscData, segmentData } = found.value as typeof page;
  assert.ok(Buffer.isBuffer(rscData));
  assert.equal((segmentData as Map<string, Buffer>).get("/_tree")?.toString(), "tree");
  assert.ok(Math.abs(found.lastModified - Date.now()) < 10_000);
});

test("revalidating a tag ends its entries on every server; entries made afterwards stay", async () => {
  const [one, two] = [new CacheHandler(), new CacheHandler()];
  const fetched = { kind: "FETCH", data: { body: "1" } };
  await one.set("a", fetched, { tags: ["cart", "shop"] });
  await one.set("b", fetched, { tags: ["shop"] });
  await one.set("c", fetched, {});
  await two.revalidateTag("cart");
  assert.equal(await one.get("a"), null);
  assert.notEqual(await one.get("b"), null);
  assert.notEqual(await one.get("c", { softTags: ["_N_T_/never"] }), null);
  await sleep(2);
  await one.set("a", fetched, { tags: ["cart", "shop"] });
  assert.notEqual(await two.get("a"), null);
  await two.revalidateTag(["shop", "_N_T_/path"]);
  assert.deepEqual([await one.get("a"), await one.get("b")], [null, null]);
  assert.equal(await one.get("c", { softTags: ["_N_T_/path"] }), null);
  one.resetRequestCache();
});
