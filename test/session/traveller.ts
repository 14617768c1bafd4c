/**
 * A program that stores a session with values of every kind, or reads one that another program has stored:
 *
 *     traveller.ts SERVER
 *
 * It answers each line of its input: `{ write: namespace, id }` with the stored bytes in hex, `{ read:
 * namespace, id }` with "right" or with what is wrong.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import process from "node:process";
import { SessionStore } from "../../mod.ts";
import { serveLines } from "./processes.ts";
import { type Fields, fieldsOf, rawClient } from "./stores.ts";

const [server = ""] = process.argv.slice(2);

/** Makes the fields, new at each call. */
function fields(): Fields {
  const user: Fields = { name: "ada", "naïve key": "日本 \u{1f600}" };
  user["self"] = user;
  const shared = { n: 1 };
  const sparse: unknown[] = [1, , 3]; // deno-lint-ignore no-sparse-arrays
  return {
    user,
    seen: new Map<unknown, unknown>([["a", 1], [{ deep: true }, new Map([[1, user]])]]),
    tags: new Set(["x", 2n ** 80n, -5n]),
    since: new Date(1_700_000_000_123),
    big: 2n ** 200n,
    numbers: [0, -0, 1.5, NaN, Infinity, -(2 ** 31), 2 ** 53],
    texts: ["", "latin é", "wide ☃", "\ud800 alone"],
    nothing: [null, undefined, true, false],
    bytes: new Uint8Array([0, 10, 13, 255]),
    floats: new Float64Array([1.5, -2]),
    pattern: /a+b/gi,
    twice: [shared, shared],
    sparse,
    ["__proto__own"]: 1,
  };
}

interface Task {
  readonly write?: string;
  readonly read?: string;
  readonly id: string;
  readonly secret?: string;
}

async function run({ write, read, id, secret }: Task): Promise<string> {
  const namespace = write ?? read ?? "";
  const store = new SessionStore({
    servers: server,
    namespace,
    ...(secret === undefined ? {} : { secret }),
  });
  try {
    if (write !== undefined) {
      // `set` stores a plain object under an id of our choice; it opens as a session, and is changed.
      await store.set(id, {});
      const session = await store.open(id);
      for (const [name, value] of Object.entries(fields())) session.set(name, value);
      session.ttl = 600;
      assert.equal(await store.storeSession(session), "stored");
      return secret === undefined ? await standing(store.mcKey(id)) : "sealed";
    }
    const session = await store.open(id);
    assert.equal(session.isNew, false, "nothing is there");
    assert.equal(session.ttl, 600);
    assert.deepEqual(fieldsOf(session), fields());
    const user = session.get("user") as Fields;
    assert.equal(user["self"], user, "the cycle");
    const twice = session.get("twice") as unknown[];
    assert.equal(twice[0], twice[1], "the same object");
    assert.equal(1 in (session.get("sparse") as unknown[]), false, "the hole");
    assert.equal(await store.storeSession(session), "unchanged", "other bytes for the same fields");
    session.set(`read by ${process.execPath}`, true);
    assert.equal(await store.storeSession(session), "stored");
    session.delete(`read by ${process.execPath}`);
    assert.equal(await store.storeSession(session), "stored");
    return "right";
  } catch (error) {
    return (error as Error).message;
  } finally {
    await store.close();
  }
}

/** The stored bytes of the fields, without the last 15: creation time, ttl, end of the array. */
async function standing(key: string): Promise<string> {
  const client = rawClient(server);
  const stored = await client.get<{ data: Uint8Array; flags: number }>(key);
  await client.close();
  const data = Buffer.from(stored?.data as Uint8Array);
  return `${stored?.flags} ${data.subarray(0, data.length - 15).toString("hex")}`;
}

await serveLines(run);
