// The write buffer gives out what was put in, whatever the sizes; and how it cuts that into chunks.
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { describe, test } from "node:test";
import { UNCOPIED_BYTES, WriteBuffer } from "../../src/protocol/write_buffer.ts";
import { Random } from "../hashing/random.ts";

type Command = string | { readonly key: string; readonly value: string | Uint8Array };

/** Lengths around every threshold (1024 characters, 16 KiB, 64 KiB, the buffer's own 68), and some between. */
const LENGTHS = [
  ...[0, 1, 2, 1023, 1024, 1025, 1026, 11_604, 11_605, 11_606, 11_607],
  ...[16_383, 16_384, 16_385, 65_535, 65_536, 65_537, 69_631, 69_632, 69_633, 200_000],
];
/** Texts with one to four bytes a character, and with halves of pairs, which become U+FFFD. */
const CHARACTERS = ["x", "é", "€", "😀", "\ud83d"];

function put(out: WriteBuffer, command: Command): void {
  if (typeof command === "string") out.text(command);
  else out.store(`set ${command.key} 0 0`, command.value, " tail\r\n");
}

/** Makes the bytes of a command without the buffer. */
function plain(command: Command): Buffer {
  if (typeof command === "string") return Buffer.from(command);
  const value = Buffer.from(command.value as Uint8Array);
  return Buffer.concat([
    Buffer.from(`set ${command.key} 0 0 ${value.length} tail\r\n`),
    value,
    Buffer.from("\r\n"),
  ]);
}

/** Asserts equality, without printing a megabyte if it fails. */
function checkBytes(
  chunks: readonly Uint8Array[],
  commands: readonly Command[],
  what: string,
): void {
  const actual = Buffer.concat(chunks);
  const expected = Buffer.concat(commands.map(plain));
  if (actual.equals(expected)) return;
  let at = 0;
  while (actual[at] === expected[at]) at++;
  const excerpt = (bytes: Buffer): string => bytes.toString("latin1", at - 20, at + 40);
  assert.fail(
    `${what}: other from byte ${at} on, ${JSON.stringify(excerpt(actual))} for ` +
      JSON.stringify(excerpt(expected)),
  );
}

function textOf(character: string, length: number): string {
  return character.repeat(Math.ceil(length / character.length)).slice(0, length);
}

describe("the write buffer", () => {
  test("writes texts and values of every length around its thresholds", () => {
    const out = new WriteBuffer();
    for (const length of LENGTHS) {
      for (const character of CHARACTERS) {
        const values = [textOf(character, length), Buffer.from(textOf(character, length))];
        for (const value of values) {
          const commands = [
            "get before\r\n",
            { key: "ké", value },
            { key: "b", value: "short" },
            "get after\r\n",
            { key: "c", value },
          ];
          for (const command of commands) put(out, command);
          checkBytes(out.take(), commands, `${length} of ${JSON.stringify(character)}`);
          out.restart(true);
        }
      }
    }
  });

  test("writes a long text whose only wide character comes last", () => {
    const out = new WriteBuffer();
    for (const length of LENGTHS) {
      const commands = [{ key: "a", value: "x".repeat(length) + "€" }, "get b\r\n"];
      for (const command of commands) put(out, command);
      checkBytes(out.take(), commands, `${length} and a €`);
      out.restart(true);
    }
  });

  test("writes many commands to the buffer's end and beyond", () => {
    const out = new WriteBuffer();
    for (
      const line of ["get k\r\n", `get ${"é".repeat(120)}\r\n`, `get${" key".repeat(4000)}\r\n`]
    ) {
      const commands = new Array<string>(Math.ceil(300_000 / line.length)).fill(line);
      for (const command of commands) put(out, command);
      checkBytes(out.take(), commands, `${commands.length} lines of ${line.length}`);
      out.restart(true);
    }
  });

  test("hands over bytes of 64 KiB and more as they are, others copied", () => {
    const out = new WriteBuffer();
    const large = new Uint8Array(UNCOPIED_BYTES).fill(1);
    const small = new Uint8Array(UNCOPIED_BYTES - 1).fill(2);
    put(out, { key: "a", value: large });
    put(out, { key: "b", value: small });
    const chunks = out.take();
    assert.ok(chunks.includes(large));
    assert.ok(chunks.every((chunk) => chunk.buffer !== small.buffer));
    const before = Buffer.concat(chunks);
    small.fill(3); // the caller may do this as soon as the call has returned
    assert.ok(Buffer.concat(chunks).equals(before));
  });

  test("tells where bytes that were copied end", () => {
    for (const chunkLimit of [Infinity, 16_384]) {
      const out = new WriteBuffer(chunkLimit);
      const values = LENGTHS.map((length, i) => Buffer.alloc(length, i + 1));
      const ends = values.map((value) => {
        out.text("get k\r\n");
        put(out, { key: "é", value });
        return out.valueEnd;
      });
      const bytes = Buffer.concat(out.take());
      for (const [i, value] of values.entries()) {
        if (value.length >= UNCOPIED_BYTES) continue;
        const end = ends[i] as number;
        assert.ok(bytes.subarray(end - value.length, end).equals(value), `${value.length} bytes`);
      }
    }
  });

  test("leaves bytes that are still being sent alone", () => {
    const out = new WriteBuffer();
    put(out, { key: "a", value: "first" });
    const first = out.take();
    out.restart(false);
    put(out, { key: "b", value: "second" });
    const second = out.take();
    checkBytes(first, [{ key: "a", value: "first" }], "the first write");
    checkBytes(second, [{ key: "b", value: "second" }], "the second");
    out.restart(true);
    put(out, { key: "c", value: "third" });
    assert.equal(out.take()[0]?.buffer, second[0]?.buffer);
  });

  test("needs about as much memory as there are bytes that are still being sent", () => {
    for (const length of [1, 100, 1_500, 20_000]) {
      const out = new WriteBuffer();
      const buffers = new Set<ArrayBufferLike>();
      let bytes = 0;
      for (let writes = 0; writes < 200; writes++) {
        put(out, { key: "a", value: "x".repeat(length) });
        for (const chunk of out.take()) {
          buffers.add(chunk.buffer);
          bytes += chunk.byteLength;
        }
        out.restart(false);
      }
      const room = [...buffers].reduce((sum, { byteLength }) => sum + byteLength, 0);
      assert.ok(room <= 4 * bytes + 70_000, `${room} bytes of room for ${bytes} of ${length} each`);
    }
  });

  test("knows how many bytes wait, and gives out nothing twice", () => {
    const out = new WriteBuffer();
    assert.equal(out.size, 0);
    assert.deepEqual(out.take(), []);
    put(out, { key: "a", value: "x".repeat(100) });
    assert.equal(out.size, plain({ key: "a", value: "x".repeat(100) }).length);
    put(out, { key: "a", value: new Uint8Array(100_000) });
    assert.ok(out.size >= 100_000);
    out.take();
    assert.equal(out.size, 0);
    assert.deepEqual(out.take(), []);
  });

  test("gives the same bytes for a random mix as for one command at a time", (t) => {
    const random = new Random();
    t.diagnostic(`seed ${random.seed}`);
    for (const limit of [Infinity, 16_384, 100]) {
      for (let round = 0; round < 40; round++) {
        const out = new WriteBuffer(limit);
        const commands = random.many(random.integer(1, 60), () => randomCommand(random));
        for (const command of commands) put(out, command);
        checkBytes(out.take(), commands, `seed ${random.seed}, limit ${limit}, round ${round}`);
      }
    }
  });
});

describe("with a limit, each chunk", () => {
  // An old server over TLS needs this; see connection/socket.ts.
  const LIMIT = 16_384;

  /** The offsets at which commands end in the stream. */
  function ends(commands: readonly Command[]): number[] {
    let at = 0;
    return commands.map((command) => at += plain(command).length);
  }

  function checkChunks(commands: readonly Command[], what: string): void {
    const out = new WriteBuffer(LIMIT);
    for (const command of commands) put(out, command);
    const chunks = out.take();
    checkBytes(chunks, commands, what);
    const places = ends(commands);
    let from = 0;
    for (const chunk of chunks) {
      const to = from + chunk.length;
      assert.ok(places.includes(to), `${what}: a chunk of ${chunk.length} ends within a command`);
      const inside = places.filter((place) => place > from && place <= to).length;
      assert.ok(chunk.length <= LIMIT || inside === 1, `${what}: ${chunk.length} in ${inside}`);
      from = to;
    }
  }

  test("holds whole commands and no more than the limit, or one larger command alone", () => {
    for (const length of LENGTHS) {
      for (const character of CHARACTERS) {
        for (const value of [textOf(character, length), Buffer.from(textOf(character, length))]) {
          const one = { key: "a", value };
          const what = `${length} of ${JSON.stringify(character)} as ${typeof value}`;
          checkChunks([one], what);
          checkChunks(["get a\r\n", one, "get b\r\n", one, one, "get c\r\n"], `${what}, mixed`);
        }
      }
    }
  });

  test("is filled with what fits", () => {
    const out = new WriteBuffer(LIMIT);
    const commands = new Array<string>(10_000).fill("get k\r\n");
    for (const command of commands) put(out, command);
    const chunks = out.take();
    // One chunk may end where the buffer ends.
    assert.ok(chunks.length <= Math.ceil(10_000 * 7 / LIMIT) + 1, `${chunks.length} chunks`);
    checkChunks(commands, "10,000 gets");
  });

  test("holds whole commands in a random mix", (t) => {
    const random = new Random();
    t.diagnostic(`seed ${random.seed}`);
    for (let round = 0; round < 60; round++) {
      const commands = random.many(random.integer(1, 60), () => randomCommand(random));
      checkChunks(commands, `seed ${random.seed}, round ${round}`);
    }
  });
});

function randomCommand(random: Random): Command {
  const length = random.one([random.integer(0, 40), random.integer(0, 3000), random.one(LENGTHS)]);
  const text = textOf(random.one(CHARACTERS), Math.min(length, 70_000));
  const key = random.key().slice(0, 50);
  return random.one<() => Command>([
    () => `get ${key}\r\n`,
    () => ({ key, value: text }),
    () => ({ key, value: Buffer.from(text) }),
  ])();
}
