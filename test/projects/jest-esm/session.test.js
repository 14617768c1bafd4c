import { Memcached, SessionStore } from "memwire";
import * as every from "./every.js";

const client = new Memcached(process.env.MEMCACHED_SERVERS);
afterAll(() => client.close());

test("a session comes back with everything in it", async () => {
  const store = new SessionStore({ client });
  const session = await store.open();
  const fields = { at: new Date(0), names: new Map([["ada", 1n]]), bytes: Uint8Array.of(1, 2) };
  for (const [name, value] of Object.entries(fields)) session.set(name, value);
  expect(await store.storeSession(session)).toBe("stored");
  expect(Object.fromEntries((await store.open(session.id)).entries())).toEqual(fields);
});

test("every sub-path is there", () => {
  const modules = Object.values(every);
  expect(modules.length).toBeGreaterThan(2);
  for (const module of modules) expect(Object.keys(module)).not.toEqual([]);
});
