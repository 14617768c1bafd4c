/** A server with a clock that a test moves, and with the machine's clock. */
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { ManualClock, MemcachedServer } from "../../src/testing/mod.ts";
import { Control, play } from "./support.ts";

async function start(t: TestContext, clock?: ManualClock): Promise<string> {
  const server = await MemcachedServer.start(clock === undefined ? {} : { clock });
  t.after(() => server.stop());
  return server.address;
}

describe("a manual clock", () => {
  it("starts now, or at any time, and stands still", () => {
    assert.ok(Math.abs(new ManualClock().now() - Date.now() / 1000) < 2);
    const clock = new ManualClock(1000);
    assert.equal(clock.now(), 1000);
    clock.advance(30);
    clock.advance(-5);
    assert.equal(clock.now(), 1025);
  });

  it("makes items expire without waiting, to the second", async (t) => {
    const clock = new ManualClock();
    const address = await start(t, clock);
    await play(address, "set a 0 1800 1|x|set b 0 2592000 1|y|set c 0 0 1|z");
    clock.advance(1799);
    assert.equal(await play(address, "mg a t|mg b t|mg c t"), "HD t1\r\nHD t2590201\r\nHD t-1\r\n");
    clock.advance(0.5);
    assert.equal(await play(address, "mg a t"), "HD t1\r\n");
    clock.advance(0.5);
    assert.equal(await play(address, "mg a t|mg b t"), "EN\r\nHD t2590200\r\n");
    clock.advance(10 * 365 * 86_400);
    assert.equal(await play(address, "mg b|mg c"), "EN\r\nHD\r\n");
    const control = await Control.open(address);
    t.after(() => control.close());
    assert.equal(
      (await control.stats()).get("curr_items"),
      "1",
      "the expired item was dropped when it was asked for",
    );
  });

  it("knows absolute times", async (t) => {
    const clock = new ManualClock(1_700_000_000);
    const address = await start(t, clock);
    assert.equal(await play(address, "set a 0 1700000060 1|x|mg a t"), "STORED\r\nHD t60\r\n");
    // An absolute time before the server's start is long past: memcached cannot tell it from second 0.
    const first = 1_700_000_000 - 62;
    for (const past of [first - 1, first, first + 1, 1_700_000_000]) {
      assert.equal(await play(address, `set b 0 ${past} 1|x|get b`), "STORED\r\nEND\r\n");
    }
    clock.advance(60);
    assert.equal(await play(address, "mg a|set a 0 1700000060 1|x|mg a"), "EN\r\nSTORED\r\nEN\r\n");
  });

  it("makes a delayed flush take effect", async (t) => {
    const clock = new ManualClock();
    const address = await start(t, clock);
    assert.equal(
      await play(address, "set a 0 0 1|x|flush_all 60|get a"),
      "STORED\r\nOK\r\nVALUE a 0 1\r\nx\r\nEND\r\n",
    );
    clock.advance(59);
    assert.equal(await play(address, "get a"), "END\r\n");
    clock.advance(1);
    assert.equal(
      await play(address, "set a 0 0 1|y|get a"),
      "STORED\r\nVALUE a 0 1\r\ny\r\nEND\r\n",
    );
  });

  it("moves the time of access and the uptime", async (t) => {
    const clock = new ManualClock();
    const address = await start(t, clock);
    const control = await Control.open(address);
    t.after(() => control.close());
    assert.equal((await control.stats()).get("uptime"), "2", "as memcached counts");
    await play(address, "set a 0 0 1|x");
    clock.advance(100);
    assert.equal(
      await play(address, "mg a l h|mg a l h|mg a l h"),
      "HD l100 h0\r\nHD l100 h1\r\nHD l0 h1\r\n",
    );
    const stats = await control.stats();
    assert.equal(stats.get("uptime"), "102");
    assert.equal(stats.get("time"), String(clock.now()));
  });
});

it("stats settings shows the moment of the last flush, in the server's own seconds", async (t) => {
  const clock = new ManualClock();
  const control = await Control.open(await start(t, clock));
  t.after(() => control.close());
  const oldest = async (): Promise<number> =>
    Number((await control.stats("settings")).get("oldest"));
  assert.equal(await oldest(), 0);
  clock.advance(100);
  for (
    const [command, moment] of [["flush_all", 161], ["flush_all 0", 161], ["flush_all 10", 171]]
  ) {
    await control.ask(command as string);
    assert.equal(await oldest(), moment, String(command));
  }
});

it("a server without a clock option uses the machine's time", async (t) => {
  const address = await start(t);
  const control = await Control.open(address);
  t.after(() => control.close());
  const time = Number((await control.stats()).get("time"));
  assert.ok(Math.abs(time - Date.now() / 1000) < 2);
  assert.match(
    await play(address, `set a 0 ${time + 50} 1|x|mg a t`),
    /^STORED\r\nHD t(49|50)\r\n$/,
  );
});
