/** Properties of Object.prototype neither swallow a session's fields nor change them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { askChild } from "../support/child.ts";
import { startMemcached } from "../support/memcached.ts";

const CHILD = new URL("./prototypes_child.ts", import.meta.url);

for (const how of ["setters", "frozen"]) {
  test(`sessions are stored and merged unchanged, with prototypes ${how}`, async () => {
    await using server = await startMemcached();
    assert.deepEqual(await askChild(CHILD, { args: [server.address, how] }), []);
  });
}
