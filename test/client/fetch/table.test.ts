/** Plays every row of the table in src/client/fetch/exchange.ts, line for line, with a scripted server. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type FetchMessage,
  type FetchOptions,
  type Memcached,
  type MemcachedOptions,
  UnsupportedError,
} from "../../../mod.ts";
import {
  ASK,
  converse,
  Counted,
  type Dialect,
  heard,
  item,
  OPTIONS,
  ownStub,
  type Step,
} from "./conversation.ts";

// A little more than the lease of OPTIONS.
const AGED_MS = 2_100;
const DAY = 86_400;

/** The result of a fetch: the value, how often it was loaded, and what the channel published. */
interface Result {
  readonly value: unknown;
  readonly runs: number;
  readonly result: FetchMessage["result"] | undefined;
  readonly code: unknown;
}

const HIT: Result = { value: "there", runs: 0, result: "hit", code: undefined };
const STALE: Result = { value: "old", runs: 0, result: "stale", code: undefined };
const WAITED: Result = { value: "there", runs: 0, result: "waited", code: undefined };
const LOADED: Result = { value: "new", runs: 1, result: "loaded", code: undefined };
const BYPASSED: Result = { value: "new", runs: 1, result: "bypassed", code: "SERVER_ERROR" };

async function fetchOnce(
  client: Memcached,
  counted: Counted<unknown>,
  options: FetchOptions = OPTIONS,
): Promise<Result> {
  const before = counted.runs;
  let value: unknown;
  const messages = await heard(client, async () => {
    value = await client.fetch("k", counted.load, options);
  });
  assert.equal(messages.length, 1, "one message for each caller");
  const { result, error } = messages[0] as FetchMessage;
  const code = error === undefined ? undefined : (error as { code?: string }).code ?? error;
  return { value, runs: counted.runs - before, result, code };
}

interface Scene {
  readonly options?: FetchOptions;
  readonly client?: MemcachedOptions;
  readonly load?: (client: Memcached) => unknown;
  /** What the loader should be given. */
  readonly stale?: unknown;
}

/** Runs one fetch, whose loader returns "new" unless the scene says otherwise. */
async function one(
  dialect: Dialect,
  steps: readonly Step[],
  expected: Result,
  { options, client, load = () => "new", stale }: Scene = {},
): Promise<void> {
  await converse(dialect, steps, async (memcached) => {
    const counted = new Counted(() => load(memcached));
    assert.deepEqual(await fetchOnce(memcached, counted, options), expected);
    if (expected.runs > 0) assert.deepEqual(counted.stale, [stale]);
  }, client);
}

/** Runs one fetch that rejects with what the loader threw. */
async function fails(
  dialect: Dialect,
  steps: readonly Step[],
  load: () => unknown,
): Promise<void> {
  await converse(dialect, steps, async (client) => {
    const messages = await heard(client, async () => {
      await assert.rejects(client.fetch("k", new Counted(load).load, OPTIONS), /^Error: source$/);
    });
    assert.match(String(messages[0]?.error), /^Error: source$/);
  });
}

const SOURCE = new Error("source");

const source = (): never => {
  throw SOURCE;
};

/** How a cold win begins; its token is 7. */
const WON: Readonly<Record<Dialect, readonly Step[]>> = {
  meta: [[ASK.meta, item("meta", "", { flags: 0, marks: "W" })]],
  classic: [
    [ASK.classic, "END"],
    ["add k 65536 3 16\n<nonce>", "STORED"],
    [ASK.classic, ownStub("classic")],
  ],
};

/** How a key is deleted by its token. */
const DROP: Readonly<Record<Dialect, (cas?: number) => Step>> = {
  meta: (cas = 7) => [`md k C${cas}`, "HD"],
  classic: (cas = 7) => [`cas k 0 2592001 0 ${cas}\n`, "STORED"],
};

for (const dialect of ["meta", "classic"] as const) {
  const ask = ASK[dialect];
  const won = WON[dialect];
  const drop = DROP[dialect];
  const ttl = dialect === "meta" ? 70 : 60;
  const store: Step = [`cas k 16 ${ttl} 3 7\nnew`, "STORED"];
  const hit = item(dialect, "there");
  const stub = item(dialect, "0123456789abcdef", { flags: 65_536 });

  describe(`fetch, ${dialect}`, { concurrency: true }, () => {
    test("the server refuses, or the connection is lost: loaded, and nothing stored", async () => {
      await one(dialect, [[ask, "SERVER_ERROR busy"]], BYPASSED);
      await one(dialect, [[ask, "close"]], { ...BYPASSED, code: "CONNECTION_LOST" });
      const client = { timeout: 100 };
      await one(dialect, [[ask, "keep silent"]], { ...BYPASSED, code: "TIMEOUT" }, { client });
    });

    test("a token of 0: UnsupportedError, whatever is stored", async () => {
      for (const [bytes, flags] of [["there", 16], ["", 131_072], ["stub", 65_536]] as const) {
        const steps: Step[] = [[ask, item(dialect, bytes, { flags, cas: 0 })]];
        await converse(dialect, steps, async (client) => {
          const counted = new Counted(() => "new");
          await assert.rejects(client.fetch("k", counted.load, OPTIONS), UnsupportedError);
          assert.equal(counted.runs, 0);
        });
      }
    });

    test("a value: a hit", () => one(dialect, [[ask, hit]], HIT));

    test("an absence: a hit, undefined", async () => {
      const absent = item(dialect, "", { flags: 131_072 });
      await one(dialect, [[ask, absent]], { ...HIT, value: undefined });
    });

    test("a value that cannot be read: CorruptValueError", async () => {
      const steps: Step[] = [[ask, item(dialect, "?", { flags: 1 })]];
      await converse(dialect, steps, async (client) => {
        await assert.rejects(client.fetch("k", () => "new", OPTIONS), { code: "CORRUPT_VALUE" });
      });
    });

    test("our stub of another caller, at any size: it is waited for", async () => {
      for (const bytes of ["0123456789abcdef", "x", ""]) {
        const other = item(dialect, bytes, { flags: 65_536 });
        await one(dialect, [[ask, other], [ask, other], [ask, hit]], WAITED);
      }
    });

    test("our stub, aged: taken over by its token, and loaded", async () => {
      await one(dialect, [
        [ask, stub, "again"],
        ["cas k 65536 3 16 7\n<nonce>", "STORED"],
        [ask, ownStub(dialect, 8)],
        [`cas k 16 ${ttl} 3 8\nnew`, "STORED"],
      ], LOADED);
    });

    test("our stub, aged: somebody is faster", async () => {
      const theirs = item(dialect, "fedcba9876543210", { flags: 65_536, cas: 9 });
      await one(dialect, [
        [ask, stub, "again"],
        ["cas k 65536 3 16 7\n<nonce>", "EXISTS"],
        [ask, theirs],
        [ask, hit],
      ], WAITED);
    });

    test("our stub, aged, and no memory for another: loaded, and nothing stored", async () => {
      await one(dialect, [
        [ask, stub, "again"],
        ["cas k 65536 3 16 7\n<nonce>", "SERVER_ERROR out of memory storing object"],
        [ask, stub],
      ], BYPASSED);
    });

    test("a stub that changes its token is not aged", async () => {
      const theirs = (cas: number): string => item(dialect, "stub", { flags: 65_536, cas });
      await converse(dialect, [
        [ask, theirs(1)],
        [ask, theirs(2)],
        [ask, theirs(3)],
        [ask, hit],
      ], async (client) => {
        const counted = new Counted(() => "new");
        assert.equal(await client.fetch("k", counted.load, { ...OPTIONS, lease: 2 }), "there");
        assert.equal(counted.runs, 0);
      });
    });

    test("won, loaded: stored by its token", () => one(dialect, [...won, store], LOADED));

    test("won, loaded undefined: an absence if it is remembered, else deleted", async () => {
      const expected = { ...LOADED, value: undefined };
      const load = (): unknown => undefined;
      await one(dialect, [...won, drop()], expected, { load });
      const absence: Step = [`cas k 131072 ${dialect === "meta" ? 15 : 5} 0 7\n`, "STORED"];
      await one(dialect, [...won, absence], expected, {
        load,
        options: { ...OPTIONS, missTtl: 5 },
      });
      const forever: Step = ["cas k 131072 0 0 7\n", "STORED"];
      const options = { ...OPTIONS, missTtl: Infinity };
      await one(dialect, [...won, forever], expected, { load, options });
    });

    test("a ttl that never ends has no R and no tail", async () => {
      const begin = won.map(([sent, answer]): Step => [String(sent).replace(" R11", ""), answer]);
      for (const forever of [0, Infinity]) {
        const options = { ...OPTIONS, ttl: forever };
        await one(dialect, [...begin, ["cas k 16 0 3 7\nnew", "STORED"]], LOADED, { options });
      }
      const plain = { ttl: 60, lease: 2 };
      await one(dialect, [...begin, ["cas k 16 60 3 7\nnew", "STORED"]], LOADED, {
        options: plain,
      });
    });

    test("sums of more than 30 days become times since 1970, in T and in R", async () => {
      const now = Math.floor(Date.now() / 1000);
      const soon = (seconds: number): string =>
        `(${[0, 1, 2, 3].map((i) => now + seconds + i).join("|")})`;
      const [question] = won[0] as Step;
      const begin: Step[] = dialect === "classic" ? [...won] : [
        [
          new RegExp(`^${String(question).replace("R11", `R${soon(31 * DAY + 1)}`)}$`),
          won[0]?.[1] ?? "",
        ],
      ];
      const exptime = dialect === "classic" ? String(20 * DAY) : soon(51 * DAY);
      const stored: Step = [new RegExp(`^cas k 16 ${exptime} 3 7\nnew$`), "STORED"];
      const options = { ttl: 20 * DAY, stale: 31 * DAY, lease: 2 };
      await one(dialect, [...begin, stored], LOADED, { options });
    });

    test("empty bytes are stored in a form that no reader takes for a stub", async () => {
      const load = (): unknown => new Uint8Array(0);
      const stored: Step = [new RegExp(`^cas k 256 ${ttl} [1-9]\\d* 7\n\xff`), "STORED"];
      await one(dialect, [...won, stored], { ...LOADED, value: new Uint8Array(0) }, { load });
      // Empty bytes from a serializer are stored as they are, unless their flags are 0.
      const serializer = (flags: number): MemcachedOptions["serializer"] => ({
        serialize: () => ({ data: new Uint8Array(0), flags }),
        deserialize: () => "new",
      });
      await one(dialect, [...won, [`cas k 5 ${ttl} 0 7\n`, "STORED"]], LOADED, {
        client: { serializer: serializer(5) },
      });
      await one(dialect, [...won, drop()], { ...LOADED, code: "SERIALIZATION" }, {
        client: { serializer: serializer(0) },
      });
    });

    test("the connection of the token ends: nothing is stored, the key is deleted by it", async () => {
      const other = dialect === "meta" ? "ms other 1 MA\nx" : "append other 0 0 1\nx";
      const load = async (client: Memcached): Promise<string> => {
        await assert.rejects(client.append("other", "x"), { code: "CONNECTION_LOST" });
        return "new";
      };
      await one(dialect, [...won, [other, "close"], drop()], {
        ...LOADED,
        code: "CONNECTION_LOST",
      }, { load });
    });

    test("written, deleted or invalidated meanwhile: returned, not stored", async () => {
      await one(dialect, [...won, [store[0], "EXISTS"]], LOADED);
      await one(dialect, [...won, [store[0], "NOT_FOUND"]], LOADED);
      const gone: Step = [drop()[0], dialect === "meta" ? "EX" : "EXISTS"];
      await one(dialect, [...won, gone], { ...LOADED, value: undefined }, {
        load: () => undefined,
      });
    });

    test("the reply to the store is lost: returned, and nothing more is sent", async () => {
      await one(dialect, [...won, [store[0], "close"]], { ...LOADED, code: "CONNECTION_LOST" });
    });

    test("a caller that came after the load began asks again if the store was refused", async () => {
      // Two callers ask before the load begins. In meta the second finds a stub, in classic they share a line.
      const [question, ...rest] = won as [Step, ...Step[]];
      const lost: Step = [ask, item("meta", "", { flags: 0, marks: "Z" })];
      const begin: Step[] = [question, ...(dialect === "meta" ? [lost] : []), ...rest];
      const again: Step[] = Array(dialect === "meta" ? 3 : 1).fill([ask, hit]);
      for (const refusal of ["EXISTS", "NOT_FOUND", "close"] as const) {
        const steps: Step[] = [...begin, [store[0], refusal], ...again];
        await converse(dialect, steps, async (client) => {
          const late: Promise<unknown>[] = [];
          const first = client.fetch("k", () => {
            for (let i = 0; i < 3; i++) late.push(client.fetch("k", source, OPTIONS));
            return "new";
          }, OPTIONS);
          const early = client.fetch("k", source, OPTIONS);
          assert.deepEqual([await first, await early], ["new", "new"]);
          assert.deepEqual(await Promise.all(late), ["there", "there", "there"], refusal);
        });
      }
      await converse(dialect, [...won, store], async (client) => {
        let late: Promise<unknown> | undefined;
        await client.fetch("k", () => (late = client.fetch("k", source, OPTIONS), "new"), OPTIONS);
        assert.equal(await late, "new");
      });
    });

    test("each caller of a hit has a value of its own", async () => {
      const asked: Step = [ask, item(dialect, "there", { flags: 0 })];
      await converse(dialect, dialect === "meta" ? [asked, asked] : [asked], async (client) => {
        const both = [client.fetch("k", source, OPTIONS), client.fetch("k", source, OPTIONS)];
        const [one, other] = await Promise.all(both) as unknown as [Uint8Array, Uint8Array];
        assert.deepEqual(one, other);
        assert.notEqual(one, other);
        assert.notEqual(one.buffer, other.buffer);
      });
    });

    test("refused for another reason, or it cannot be encoded: deleted by its token, returned", async () => {
      const refused: Step = [store[0], "SERVER_ERROR out of memory storing object"];
      await one(dialect, [...won, refused, drop()], { ...LOADED, code: "SERVER_ERROR" });
      const load = (): unknown => source;
      await one(dialect, [...won, drop()], { ...LOADED, value: source, code: "SERIALIZATION" }, {
        load,
      });
      const large = "x".repeat(200);
      await one(dialect, [...won, drop()], { ...LOADED, value: large, code: "VALUE_TOO_LARGE" }, {
        load: () => large,
        client: { maxValueBytes: 100 },
      });
    });

    test("won with nothing there, and the load fails: deleted by its token, rejects", async () => {
      await fails(dialect, [...won, drop()], source);
    });
  });
}

describe("fetch, what only classic knows", { concurrency: true }, () => {
  const ask = ASK.classic;
  const hit = item("classic", "there");

  test("nothing: a stub is added, and its bytes tell whose it is", async () => {
    const theirs = item("classic", "0123456789abcdef", { flags: 65_536 });
    const add = "add k 65536 3 16\n<nonce>";
    await one("classic", [[ask, "END"], [add, "NOT_STORED"], [ask, theirs], [ask, hit]], WAITED);
    // "STORED" alone proves nothing: the stub may have been deleted, and another client may have added its own.
    await one("classic", [[ask, "END"], [add, "STORED"], [ask, theirs], [ask, hit]], WAITED);
    await one("classic", [[ask, "END"], [add, "STORED"], [ask, hit]], HIT);
  });

  test("the stub is deleted before it is read: asked again", async () => {
    const add = "add k 65536 3 16\n<nonce>";
    await one("classic", [[ask, "END"], [add, "STORED"], [ask, "END"], [add, "STORED"], [
      ask,
      ownStub("classic"),
    ], ["cas k 16 60 3 7\nnew", "STORED"]], LOADED);
  });

  test("a server that keeps no stub is bypassed in the end", async () => {
    const round: Step[] = [["add k 65536 3 16\n<nonce>", "STORED"], [ask, "END"]];
    await one("classic", [[ask, "END"], ...Array.from({ length: 10 }, () => round).flat()], {
      ...BYPASSED,
      code: "CONFLICT",
    });
  });

  test("no memory for the stub: loaded, and nothing stored", async () => {
    await one("classic", [
      [ask, "END"],
      ["add k 65536 3 16\n<nonce>", "SERVER_ERROR out of memory storing object"],
      [ask, "END"],
    ], BYPASSED);
  });

  test("empty bytes of flags 0 may be another client's stub: waited for, then taken over", async () => {
    const empty = item("classic", "", { flags: 0 });
    await one("classic", [[ask, empty], [ask, hit]], WAITED);
    await one("classic", [
      [ask, empty, "again"],
      ["cas k 65536 3 16 7\n<nonce>", "STORED"],
      [ask, ownStub("classic", 8)],
      ["cas k 16 60 3 8\nnew", "STORED"],
    ], LOADED);
  });
});

describe("fetch, what only meta knows", { concurrency: true }, () => {
  const ask = ASK.meta;
  const hit = item("meta", "there");
  const store: Step = ["cas k 16 70 3 7\nnew", "STORED"];
  const old = (marks: string, cas = 7): string => item("meta", "old", { marks, cas });
  const absent = (marks: string): string => item("meta", "", { flags: 131_072, marks });
  const empty = (marks: string): string => item("meta", "", { flags: 0, marks });
  const loading = (marks: string): string => item("meta", "stub", { flags: 65_536, marks });

  test("EN although N was sent: no memory, so loaded and nothing stored", async () => {
    await one("meta", [[ask, "EN"]], BYPASSED);
  });

  test("an absence, Z: undefined while another loads; aged: re-armed", async () => {
    await twice(
      [[ask, absent("X Z")]],
      [
        [ask, absent("Z X")],
        ["md k I C7", "HD"],
        [ask, absent("X W")],
        store,
      ],
      { ...STALE, value: undefined },
      LOADED,
    );
  });

  test("an absence, W: won, with nothing old", async () => {
    await one("meta", [[ask, absent("W")], store], LOADED);
    await one("meta", [[ask, absent("X W")], ["mg k s f c", "HD s0 f131072 c7 X Z"]], {
      ...STALE,
      value: undefined,
      runs: 1,
      code: SOURCE,
    }, { load: source });
  });

  test("our stub: W alone is no win, X and W is, X and Z is another's", async () => {
    await one("meta", [[ask, loading("W")], [ask, hit]], WAITED);
    await one("meta", [[ask, loading("Z")], [ask, hit]], WAITED);
    await one("meta", [[ask, loading("X W")], store], LOADED);
    await one("meta", [[ask, loading("W X")], store], LOADED);
    await one("meta", [[ask, loading("Z X")], [ask, hit]], WAITED);
    await fails("meta", [[ask, loading("X W")], ["md k C7", "HD"]], source);
  });

  test("a stub that was taken over, and marked stale by somebody at once", async () => {
    const begin: Step[] = [[ask, loading(""), "again"], ["cas k 65536 3 16 7\n<nonce>", "STORED"]];
    await one("meta", [...begin, [ask, ownStub("meta", 8, "X Z")], [ask, hit]], WAITED);
    await one("meta", [...begin, [ask, ownStub("meta", 7, "W X")], store], LOADED);
    // The R flag of our own question.
    await one("meta", [...begin, [ask, ownStub("meta", 7, "W")], store], LOADED);
  });

  test("a stub of dalli and meta-memcache: W is a win, Z is waited for and taken over", async () => {
    await one("meta", [[ask, empty("W")], store], LOADED);
    await one("meta", [[ask, empty("X W")], store], LOADED);
    await one("meta", [[ask, empty("Z")], [ask, hit]], WAITED);
    await one("meta", [
      [ask, empty("Z"), "again"],
      ["cas k 65536 3 16 7\n<nonce>", "STORED"],
      [ask, ownStub("meta", 8)],
      ["cas k 16 70 3 8\nnew", "STORED"],
    ], LOADED);
  });

  test("empty bytes without W or Z are a value", async () => {
    await one("meta", [[ask, empty("")]], { ...HIT, value: new Uint8Array(0) });
  });

  test("a value, W: won, and the loader is given the old one", async () => {
    await one("meta", [[ask, old("W")], store], LOADED, { stale: "old" });
    await one("meta", [[ask, old("W X")], store], LOADED, { stale: "old" });
  });

  test("a value that cannot be read, W: won as if nothing were there", async () => {
    const corrupt = item("meta", "?", { flags: 1, marks: "W" });
    await one("meta", [[ask, corrupt], store], LOADED);
    await fails("meta", [[ask, corrupt], ["md k C7", "HD"]], source);
  });

  test("a value, Z: the old one; aged: re-armed, and asked again", async () => {
    await twice(
      [[ask, old("Z")]],
      [
        [ask, old("X Z")],
        ["md k I C7", "HD"],
        [ask, old("X W", 9)],
        ["cas k 16 70 3 9\nnew", "STORED"],
      ],
      STALE,
      LOADED,
    );
    // Somebody else was faster, or has loaded already.
    await twice(
      [[ask, old("Z")]],
      [[ask, old("Z")], ["md k I C7", "EX"], [ask, old("X Z", 9)]],
      STALE,
      STALE,
    );
    await twice([[ask, old("Z")]], [[ask, old("Z")], ["md k I C7", "NF"], [ask, hit]], STALE, HIT);
    // The token has changed, so its loader is not dead.
    await twice([[ask, old("Z")]], [[ask, old("Z", 9)]], STALE, STALE);
  });

  test("won with an old value, the load fails: the old value is returned if it is still stored", async () => {
    const failed = { ...STALE, runs: 1, code: SOURCE };
    const still = "mg k s f c";
    await one("meta", [[ask, old("W")], [still, "HD s3 f16 c7 Z"]], failed, {
      load: source,
      stale: "old",
    });
    await fails("meta", [[ask, old("W")], [still, "HD s3 f16 c8"]], source);
    await fails("meta", [[ask, old("W")], [still, "EN"]], source);
    await fails("meta", [[ask, old("W")], [still, "close"], [still, "close"]], source);
    // Invalidated again meanwhile: this look has won, and gives the win back.
    await fails(
      "meta",
      [[ask, old("W")], [still, "HD s3 f16 c8 X W"], ["md k I C8", "HD"]],
      source,
    );
  });

  test("after a load that failed nobody loads for the length of the lease", async () => {
    const still: Step = ["mg k s f c", "HD s3 f16 c7 Z"];
    await converse("meta", [
      [ask, old("W")],
      still,
      [ask, old("Z")],
      [ask, old("Z")],
      ["md k I C7", "HD"],
      [ask, old("W X", 8)],
      ["cas k 16 70 3 8\nnew", "STORED"],
    ], async (client) => {
      let fail = true;
      const counted = new Counted(() => fail ? source() : "new");
      assert.equal(await client.fetch("k", counted.load, OPTIONS), "old");
      fail = false;
      assert.equal(await client.fetch("k", counted.load, OPTIONS), "old");
      assert.equal(counted.runs, 1);
      await sleep(AGED_MS);
      assert.equal(await client.fetch("k", counted.load, OPTIONS), "new");
    });
  });

  test("all but the winner get the old value at once; the winner waits", async () => {
    const lost: Step = [ask, old("Z")];
    await converse("meta", [[ask, old("W")], lost, lost, lost, store], async (client) => {
      let end = (): void => {};
      const ended = new Promise<void>((resolve) => end = resolve);
      const counted = new Counted(async () => {
        await ended;
        return "new";
      });
      const winner = client.fetch("k", counted.load, OPTIONS);
      const early = [client.fetch("k", source, OPTIONS), client.fetch("k", source, OPTIONS)];
      assert.deepEqual(await Promise.all(early), ["old", "old"]);
      assert.equal(
        await client.fetch("k", source, OPTIONS),
        "old",
        "a later caller asks the cache",
      );
      end();
      assert.equal(await winner, "new");
      assert.deepEqual(counted.stale, ["old"]);
    });
  });

  test("the reply comes too late: a win that it brings is given back", async () => {
    await converse("meta", [
      ["mg k v f c N3 R11", "keep silent"],
    ], async (client) => {
      assert.equal(await client.fetch("k", () => "new", { ...OPTIONS, timeout: 50 }), "new");
    });
  });
});

/** Runs two fetches, the second when the token that the first has seen is old enough to be taken over. */
async function twice(
  first: readonly Step[],
  second: readonly Step[],
  ...expected: readonly [Result, Result]
): Promise<void> {
  await converse("meta", [...first, ...second], async (client) => {
    const counted = new Counted(() => "new");
    assert.deepEqual(await fetchOnce(client, counted), expected[0]);
    await sleep(AGED_MS);
    assert.deepEqual(await fetchOnce(client, counted), expected[1]);
  });
}
