/**
 * Error lines inside a get's reply, as proxies send them if a server behind them is dead: with END and without,
 * for one key or several. No reply counts for another call, and no failure is a miss.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ConnectionLostError, Memcached, PartialError, ServerError } from "../../mod.ts";
import { type Command, type Peer, startScriptedServer } from "../support/scripted_server.ts";
import { outcome, PATIENT, Rig, valueOf } from "./rig.ts";

const ERROR = "SERVER_ERROR backend failure\r\n";

/** How a proxy answers a get if the server of some keys is dead. */
const SHAPES = {
  // proxy_request.c of memcached 1.6.45: a key's error takes the place of its VALUE, END ends a line of
  // several keys, and a lone key's error stands alone.
  "memcached's proxy": (parts: string[]) => parts.join("") + (parts.length > 1 ? "END\r\n" : ""),
  "END behind every error": (parts: string[]) => `${parts.join("")}END\r\n`,
  "one error for the whole line, as twemproxy": () => ERROR,
  // memcached itself, when it runs out of memory in the middle.
  "values, then an error in place of END": (parts: string[]) =>
    parts.slice(0, parts.indexOf(ERROR)).join("") + ERROR,
} as const;
type Shape = keyof typeof SHAPES;

const isDead = (key: string): boolean => key.startsWith("dead");
const isThere = (key: string): boolean => key.startsWith("live");

function value(command: Command, key: string): string {
  const text = valueOf(key);
  const token = command.name === "gets" ? " 7" : "";
  return `VALUE ${key} 16 ${text.length}${token}\r\n${text}\r\n`;
}

/** The proxy's reply. */
function replyTo(shape: Shape, command: Command): string {
  const { name, args, key } = command;
  if (name === "version") return "VERSION 1.6.18\r\n";
  if (name === "get" || name === "gets") {
    if (!args.some(isDead)) {
      return `${args.filter(isThere).map((k) => value(command, k)).join("")}END\r\n`;
    }
    const parts = args.map((k) => isDead(k) ? ERROR : isThere(k) ? value(command, k) : "");
    return SHAPES[shape](parts);
  }
  if (isDead(key)) return ERROR;
  if (name === "delete") return isThere(key) ? "DELETED\r\n" : "NOT_FOUND\r\n";
  if (name === "touch") return isThere(key) ? "TOUCHED\r\n" : "NOT_FOUND\r\n";
  if (name === "add") return isThere(key) ? "NOT_STORED\r\n" : "STORED\r\n";
  return "STORED\r\n";
}

/** A proxy that answers the commands of a round in one piece or in two, and all others at once. */
class Proxy {
  #missing = 0;
  #cut = 0;
  #written = "";

  readonly script: (peer: Peer) => Promise<void>;

  constructor(shape: Shape) {
    this.script = async (peer) => {
      for (;;) {
        this.#written += replyTo(shape, await peer.next());
        if (--this.#missing > 0) continue;
        const all = this.#written;
        this.#written = "";
        const cut = this.#missing === 0 ? this.#cut : 0;
        if (cut === Infinity) await peer.write(all, { chunk: 1 });
        else {
          await peer.write(all.slice(0, cut));
          if (cut > 0 && cut < all.length) await sleep(1);
          await peer.write(all.slice(cut));
        }
      }
    };
  }

  /** Answers the next `count` commands together, in two pieces or byte by byte. */
  next(commands: number, cut: number): void {
    this.#missing = commands;
    this.#cut = cut;
  }
}

const LINES: Readonly<Record<string, readonly string[]>> = {
  first: ["dead1", "live2", "live3"],
  middle: ["live1", "dead2", "live3"],
  last: ["live1", "live2", "dead3"],
  several: ["dead1", "live2", "dead3"],
  all: ["dead1", "dead2", "dead3"],
  "beside a miss": ["gone1", "dead2", "live3"],
  lone: ["dead1"],
};

/** A call that checks its own result, and the number of its commands. */
type Follower = readonly [call: (m: Memcached) => Promise<void>, commands: number];

/** The calls that follow the line. */
const FOLLOWERS: Readonly<Record<string, Follower>> = {
  "a get": [async (m) => assert.equal(await m.get("live9"), valueOf("live9")), 1],
  "a get that misses": [async (m) => assert.equal(await m.get("gone9"), undefined), 1],
  "a get that fails": [(m) => assert.rejects(m.get("dead9"), ServerError), 1],
  "a gets": [async (m) => assert.equal((await m.getItem("live9"))?.value, valueOf("live9")), 1],
  "a gets with touch": [
    async (m) => assert.equal((await m.getItem("live9", { touch: 9 }))?.value, valueOf("live9")),
    2,
  ],
  "a gets with touch that fails": [
    (m) => assert.rejects(m.getItem("dead9", { touch: 9 }), ServerError),
    2,
  ],
  "has": [async (m) => assert.equal(await m.has("live9"), true), 1],
  "another line that fails": [
    async (m) => assertLine(await outcome(m.getMany(LINES["several"] ?? []))),
    1,
  ],
  "a line": [
    async (m) =>
      assert.deepEqual(
        await m.getMany(["live7", "gone8", "live9"]),
        new Map(["live7", "live9"].map((key) => [key, valueOf(key)])),
      ),
    1,
  ],
  "a set": [(m) => m.set("live9", "x"), 1],
  "a set that fails": [async (m) => assertRefused((await outcome(m.set("dead9", "x"))).error), 1],
  "an add": [async (m) => assert.equal(await m.add("gone9", "x"), true), 1],
  "an add of an existing key": [async (m) => assert.equal(await m.add("live9", "x"), false), 1],
  "a delete": [async (m) => assert.equal(await m.delete("live9"), true), 1],
  "a delete that fails": [async (m) => assertRefused((await outcome(m.delete("dead9"))).error), 1],
  "nothing": [() => Promise.resolve(), 0],
};

function assertRefused(error: unknown): void {
  assert.ok(error instanceof ServerError, String(error));
  assert.equal(error.ambiguous, false);
}

/** Asserts that the keys of dead servers have failed and, with `all`, that the others have not. */
function assertLine(
  { error }: { error?: unknown },
  all = false,
  keys = LINES["several"] ?? [],
): void {
  assert.ok(error instanceof PartialError, String(error));
  for (const key of keys) {
    if (isDead(key) || error.errors.has(key)) {
      assertRefused(error.errors.get(key));
      assert.ok(!error.results.has(key));
      assert.ok(isDead(key) || !isThere(key) || !all, `${key} is there`);
    } else assert.equal(error.results.get(key), isThere(key) ? valueOf(key) : undefined);
  }
}

/** Plays one round on a connection: the line and the calls that follow, all in flight together. */
async function round(
  proxy: Proxy,
  client: Memcached,
  shape: Shape,
  keys: readonly string[],
  followers: readonly (keyof typeof FOLLOWERS)[],
  cut: number,
): Promise<void> {
  const following = followers.map((name) => FOLLOWERS[name] as Follower);
  proxy.next(following.reduce((sum, [, commands]) => sum + commands, 1), cut);
  const line = outcome(client.getMany(keys));
  await Promise.all(following.map(([call]) => call(client)));
  assertLine(await line, shape === "memcached's proxy" || shape === "END behind every error", keys);
}

/** A client that has learnt that lines fail, so that it sends single gets alone. */
async function open(shape: Shape): Promise<{ rig: Rig; proxy: Proxy }> {
  const proxy = new Proxy(shape);
  const server = await startScriptedServer(proxy.script, { dialect: "classic" });
  const client = new Memcached(server.address, { ...PATIENT, protocol: "classic" });
  await Promise.all([outcome(client.get("dead1")), outcome(client.get("live1"))]);
  return { rig: new Rig(server, client), proxy };
}

for (const shape of Object.keys(SHAPES) as Shape[]) {
  describe(`an error inside a get's reply, ${shape}`, () => {
    for (const [where, keys] of Object.entries(LINES)) {
      test(`for ${where}, and each call after it gets its own reply`, async () => {
        const { rig, proxy } = await open(shape);
        await using _ = rig;
        for (const [i, follower] of Object.keys(FOLLOWERS).entries()) {
          const next = Object.keys(FOLLOWERS).at((i * 7 + 3) % 16) as string;
          for (const behind of [[follower], [follower, next], [next, next, follower]]) {
            await round(proxy, rig.client, shape, keys, behind, 0);
          }
        }
        assert.equal(
          rig.server.connections,
          1,
          "the replies that followed have proved where the stream is",
        );
      });
    }

    test("byte by byte, and cut at every place", async () => {
      const { rig, proxy } = await open(shape);
      await using _ = rig;
      const rounds = [
        ["middle", ["a gets", "a set"]],
        ["several", ["another line that fails", "a get that misses", "a get"]],
        ["lone", ["a get that misses", "a get that fails", "nothing"]],
      ] as const;
      for (const [where, followers] of rounds) {
        for (const cut of [Infinity, ...Array.from({ length: 160 }, (_, at) => at + 1)]) {
          await round(proxy, rig.client, shape, LINES[where] ?? [], followers, cut);
        }
      }
      assert.equal(rig.server.connections, 1);
    });

    test("gets of one tick that share lines: the live ones have their values", async () => {
      const proxy = new Proxy(shape);
      const server = await startScriptedServer(proxy.script, { dialect: "classic" });
      await using rig = new Rig(
        server,
        new Memcached(server.address, { ...PATIENT, protocol: "classic" }),
      );
      const keys = Array.from({ length: 40 }, (_, i) => `${["live", "dead", "gone"][i % 3]}${i}`);
      const ends = await Promise.all(keys.map((key) => outcome(rig.client.get(key))));
      for (const [i, key] of keys.entries()) {
        const { value, error } = ends[i] as { value?: unknown; error?: unknown };
        if (isDead(key)) assertRefused(error);
        else assert.equal(value, isThere(key) ? valueOf(key) : undefined, `${key}: ${error}`);
        if (!isDead(key)) assert.equal(error, undefined);
      }
      assert.equal(rig.server.connections, 1);
    });
  });
}

describe("an error inside a get's reply that nothing explains", () => {
  for (
    const [what, lines] of Object.entries({
      "another key's value": `${ERROR}VALUE other 16 1\r\nx\r\nEND\r\n`,
      "another kind of error": `${ERROR}CLIENT_ERROR bad command line format\r\n`,
      "the reply of no command": `${ERROR}TOUCHED\r\n`,
    })
  ) {
    test(`${what}: the connection ends, and no write counts as done`, async () => {
      const server = await startScriptedServer(async (peer) => {
        if (peer.index === 0) {
          await peer.next();
          await peer.next();
          await peer.next();
          await peer.write(lines);
        }
        for (;;) await peer.write(replyTo("memcached's proxy", await peer.next()));
      }, { dialect: "classic" });
      await using rig = new Rig(
        server,
        new Memcached(server.address, { ...PATIENT, protocol: "classic" }),
      );
      const calls = [
        outcome(rig.client.getMany(["dead1", "live2"])),
        outcome(rig.client.set("live3", "x")),
        outcome(rig.client.getItem("live4")),
      ];
      const [line, set, get] = await Promise.all(calls);
      assert.ok(line?.error instanceof PartialError);
      assert.equal(line.error.errors.size, 2);
      assert.ok(
        set?.error instanceof ConnectionLostError && set.error.ambiguous,
        String(set?.error),
      );
      assert.ok(get?.error !== undefined, "not absent");
      assert.equal(await rig.client.get("live5"), valueOf("live5"));
      assert.equal(server.connections, 2);
    });
  }

  test("the connection is lost before anything proves where the stream is: reads are repeated, writes are ambiguous", async () => {
    const server = await startScriptedServer(async (peer) => {
      if (peer.index === 0) {
        await peer.next();
        await peer.next();
        await peer.write(ERROR);
        return peer.end();
      }
      for (;;) await peer.write(replyTo("memcached's proxy", await peer.next()));
    }, { dialect: "classic" });
    await using rig = new Rig(
      server,
      new Memcached(server.address, { ...PATIENT, protocol: "classic" }),
    );
    const [line, set] = await Promise.all([
      outcome(rig.client.getMany(["live1", "dead2"])),
      outcome(rig.client.set("live3", "x")),
    ]);
    assertLine(line, true, ["live1", "dead2"]);
    assert.ok(set.error instanceof ConnectionLostError && set.error.ambiguous);
  });
});
