// All behaviours on a server that asks for the text protocol's authentication (-Y); and MemCachier's own form.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { AuthError, Memcached, type MemcachedOptions } from "../../mod.ts";
import { startScriptedServer } from "../support/scripted_server.ts";
import { startMemcached } from "../support/memcached.ts";
import { behaviours, BOTH_DIALECTS } from "./suite/behaviours.ts";
import type { Reached } from "./suite/stage.ts";

const auth = { username: "someone", password: "pa:ss/wörd" };

const { username, password } = auth;
const userinfo = `${username}:${encodeURIComponent(password)}`;

behaviours({
  name: "authentication, credentials in the options",
  async open(): Promise<Reached> {
    const server = await startMemcached({ auth });
    return { server, servers: server.address, options: { auth }, close: () => server.stop() };
  },
}, BOTH_DIALECTS);

// Where the credentials are given makes no difference to the dialect, so one run of the second way is enough.
behaviours({
  name: "authentication, credentials in the address",
  async open(): Promise<Reached> {
    const server = await startMemcached({ auth });
    const servers = `memcached://${userinfo}@${server.address}`;
    return { server, servers, options: {}, close: () => server.stop() };
  },
}, ["meta"]);

describe("MemCachier's form", () => {
  const memcachier = { username: "3ABC9F", password: "wörd", form: "memcachier" } as const;

  /** A server that knows one user, in MemCachier's way, and answers all that comes before with an error. */
  const start = (
    answer: string,
    lines: string[],
  ): ReturnType<typeof startScriptedServer> =>
    startScriptedServer(async (peer) => {
      let known = false;
      for (;;) {
        const { line, name, data } = await peer.next();
        lines.push(data === undefined ? line : `${line}|${new TextDecoder().decode(data)}`);
        if (!known) {
          known = answer === "STORED";
          await peer.write(`${answer}\r\n`);
        } else if (name === "version") await peer.write("VERSION 1.4.5\r\n");
        else await peer.write(name === "get" ? "END\r\n" : "STORED\r\n");
      }
    }, { dialect: "none" });

  test("name and password are the key and value of the first command, alone", async () => {
    const lines: string[] = [];
    await using server = await start("STORED", lines);
    await using client = new Memcached(server.address, { auth: memcachier });
    await client.set("k", "v");
    assert.equal(await client.get("k"), undefined);
    assert.deepEqual(lines, [
      "set 3ABC9F 0 0 5|wörd",
      "version",
      "set k 16 0 1|v",
      "get k",
    ]);
  });

  test("a refusal is an AuthError that shows no credentials", async () => {
    for (const answer of ["ERROR", "SERVER_ERROR 3ABC9F wörd", "CLIENT_ERROR auth failed"]) {
      await using server = await start(answer, []);
      await using client = new Memcached(server.address, { auth: memcachier });
      await assert.rejects(client.get("k"), (error) => {
        assert.ok(error instanceof AuthError, String(error));
        assert.doesNotMatch(error.message, /3ABC9F|wörd/);
        return true;
      });
    }
  });

  test("the form is checked, and a name that is no key", () => {
    const wrong = (auth: unknown): void =>
      assert.throws(() => new Memcached("localhost", { auth } as MemcachedOptions), {
        code: "ERR_INVALID_ARGUMENT",
      });
    wrong({ ...memcachier, form: "sasl" });
    wrong({ ...memcachier, form: null });
    wrong({ ...memcachier, username: "x".repeat(251) });
    wrong({ ...memcachier, password: "" });
  });
});
