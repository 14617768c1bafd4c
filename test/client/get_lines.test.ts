// Single gets of one tick share lines in the classic dialect, but each caller gets its own value.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Memcached, ServerError } from "../../mod.ts";
import { startScriptedServer } from "../support/scripted_server.ts";

const value = (key: string, text: string): string =>
  `VALUE ${key} 16 ${text.length}\r\n${text}\r\n`;

test("a key is on a line once, and all callers that asked for it get it", async (t) => {
  const lines: string[] = [];
  const server = await startScriptedServer(async (peer) => {
    for (;;) {
      const { line, args } = await peer.next();
      lines.push(line);
      // A proxy may answer in another order.
      const found = args.filter((key) => key !== "absent").reverse();
      await peer.write(found.map((key) => value(key, `${key}'s`)).join("") + "END\r\n");
    }
  });
  t.after(() => server.stop());
  const client = new Memcached(server.address, { protocol: "classic", timeout: 5_000 });
  t.after(() => client.close());
  for (const keys of [["a", "b", "a", "c", "a"], ["absent", "a", "absent", "b", "b", "a"]]) {
    const found = await Promise.all(keys.map((key) => client.get(key)));
    assert.deepEqual(found, keys.map((key) => key === "absent" ? undefined : `${key}'s`));
  }
  assert.deepEqual(lines, ["get a b c", "get absent a b"]);
});

test("if a line is answered by an error, each get is sent again alone, and so are later ones", async (t) => {
  const lines: string[] = [];
  const server = await startScriptedServer(async (peer) => {
    for (;;) {
      const { line, name, args } = await peer.next();
      // The client sends this to find out where the stream of replies is.
      if (name === "version") await peer.write("VERSION 1.6.18\r\n");
      if (name === "delete") await peer.write("NOT_FOUND\r\n");
      if (name !== "get") continue;
      lines.push(line);
      // One key's server is down. The values that came before the error count.
      if (args.length > 1) await peer.write(value("a", "A") + "SERVER_ERROR Host is down\r\n");
      else if (args[0] === "dead") await peer.write("SERVER_ERROR Host is down\r\n");
      else await peer.write(value(args[0] as string, "alone") + "END\r\n");
    }
  });
  t.after(() => server.stop());
  const client = new Memcached(server.address, {
    protocol: "classic",
    timeout: 5_000,
    // There is room for exactly the calls of one round, so a place that is not given back would show in the next.
    maxPending: 4,
  });
  t.after(() => client.close());
  for (let round = 0; round < 10; round++) {
    const calls = ["a", "dead", "b", "c"].map((key) => client.get(key));
    const [a, dead, b, c] = await Promise.allSettled(calls);
    assert.deepEqual(a, { status: "fulfilled", value: round === 0 ? "A" : "alone" });
    assert.deepEqual([b, c], Array(2).fill({ status: "fulfilled", value: "alone" }));
    assert.ok(dead?.status === "rejected" && dead.reason instanceof ServerError);
  }
  assert.deepEqual(lines.slice(0, 4), ["get a dead b c", "get dead", "get b", "get c"]);
  assert.equal(lines.length, 4 + 9 * 4, "lines of their own");
  assert.equal(server.connections, 1);
});
