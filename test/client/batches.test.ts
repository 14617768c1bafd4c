/** The calls of one turn of the event loop share writes, whoever makes them. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, Socket } from "node:net";
import { test } from "node:test";
import { Memcached } from "../../mod.ts";
import { borrowMemcached } from "../support/memcached.ts";

const VISITORS = 20;

for (const protocol of ["meta", "classic"] as const) {
  test(`the calls of a server's visitors share writes, ${protocol}`, async (t) => {
    const memcached = await borrowMemcached();
    t.after(() => memcached.stop());
    const client = new Memcached(memcached.addresses as string[], { protocol });
    t.after(() => client.close());
    await client.set("page", "hello");
    const server = createServer((socket) => {
      socket.on("data", () => void client.get("page").then((page) => socket.write(String(page))));
    });
    t.after(() => server.close());
    await once(server.listen(0, "127.0.0.1"), "listening");
    const { port } = server.address() as AddressInfo;
    const visitors = Array.from({ length: VISITORS }, () => connect(port, "127.0.0.1"));
    t.after(() => visitors.forEach((visitor) => visitor.destroy()));
    await Promise.all(visitors.map((visitor) => once(visitor, "connect")));
    const visit = async (): Promise<void> => {
      const answers = visitors.map(async (visitor) => {
        const [answer] = await once(visitor, "data");
        assert.equal(String(answer), "hello");
      });
      for (const visitor of visitors) visitor.write("?");
      await Promise.all(answers);
    };
    await visit();
    const write = t.mock.method(Socket.prototype, "write");
    await visit();
    const lines = write.mock.calls.map(({ arguments: [chunk] }) => String(chunk))
      .filter((text) => text.includes("page"));
    assert.ok(lines.length < VISITORS / 2, `${lines.length} writes for ${VISITORS} calls`);
  });
}
