/* Tests with Jest's default fake timers. run.ts starts the servers and runs it. */
import { afterEach, describe, expect, jest, test } from "@jest/globals";
import process from "node:process";
import { Memcached } from "../../dist/mod.js";

const [server, silent] = process.env.MEMWIRE_SERVERS.split(" ");

afterEach(() => {
  jest.useRealTimers();
});

describe.each([["modern timers", {}], ["all but nextTick", { doNotFake: ["nextTick"] }]])(
  "%s",
  (_name, options) => {
    test("a warm client's calls and close() go on", async () => {
      const client = new Memcached(server);
      await client.set("jest", "v");
      jest.useFakeTimers(options);
      expect(await client.get("jest")).toBe("v");
      await client.set("jest", { a: 1 });
      expect(await client.getMany(["jest", "absent"])).toEqual(new Map([["jest", { a: 1 }]]));
      expect(await client.update("jest", ({ a }) => ({ a: a + 1 }))).toEqual({ a: 2 });
      await client.close();
    });

    test("a deadline holds", async () => {
      const client = new Memcached(silent, { timeout: 60_000 });
      await client.get("jest", { timeout: 20 }).catch(() => undefined);
      jest.useFakeTimers(options);
      const error = await client.get("jest", { timeout: 200 }).catch((error) => error);
      expect(error.code).toBe("TIMEOUT");
      await client.close();
    });

    test("a client made under fake timers works", async () => {
      jest.useFakeTimers({ ...options, doNotFake: ["nextTick"] }); // node:net itself needs it
      const client = new Memcached(server);
      await client.set("jest", "v");
      expect(await client.get("jest")).toBe("v");
      await client.close();
    });
  },
);
