import assert from "node:assert/strict";
import { basename } from "node:path";
import { describe, test } from "node:test";
import * as memwire from "../../mod.ts";
import { codeLines, codeOnly, readImports, type SourceFile, sourceFiles } from "./source_files.ts";

/** The floors of the house, from the ground up. A file imports from its own folder and from below. */
const FLOORS: readonly (readonly string[])[] = [
  [
    "src/protocol/",
    "src/hashing/",
    "src/v8/",
    "src/checks/",
    "src/errors.ts",
    "src/address.ts",
    "src/server_ref.ts",
  ],
  ["src/connection/", "src/diagnostics.ts", "src/messages.ts"],
  ["src/cluster/"],
  ["src/client/"],
  ["src/session/"],
  ["src/adapters/", "src/discovery/", "src/testing/"],
  ["mod.ts"],
];

const CLIENT = FLOORS.findIndex((rooms) => rooms.includes("src/client/"));

const files = sourceFiles();

/** The names of the classes that users of the package see. */
function exportedClasses(): string[] {
  return Object.entries(memwire).filter(([name, value]) =>
    /^[A-Z]/.test(name) && typeof value === "function"
  ).map(([name]) => name);
}

function roomOf(path: string): { floor: number; room: string } {
  const floor = FLOORS.findIndex((rooms) => rooms.some((room) => path.startsWith(room)));
  const room = FLOORS[floor]?.find((room) => path.startsWith(room));
  assert.ok(room !== undefined, `${path} is on no floor of the house`);
  return { floor, room };
}

/** Finds imports that go up, or sideways into a room that does not share a floor with this one. */
function wrongImports({ path, imports }: SourceFile): string[] {
  const from = roomOf(path);
  return imports.filter((name) => name.endsWith(".ts")).filter((name) => {
    const to = roomOf(name);
    if (to.room === from.room) return false;
    // The ground floor holds pure rules that may use each other; so may connection and diagnostics.
    return from.floor <= 1 ? to.floor > from.floor : to.floor >= from.floor;
  }).map((name) => `${path} imports ${name}`);
}

function offenders(pattern: RegExp, among: readonly SourceFile[] = files): string[] {
  return among.filter(({ text }) => pattern.test(codeOnly(text))).map(({ path }) => path);
}

describe("the house", () => {
  test("every file is on a floor, and imports go down", () => {
    assert.ok(files.length > 20, "the source was found");
    assert.deepEqual(files.flatMap(wrongImports), []);
  });

  test("only node: modules and own files are imported", () => {
    const foreign = files.flatMap(({ path, imports }) =>
      imports.filter((name) => !name.startsWith("node:") && !name.endsWith(".ts"))
        .map((name) => `${path}: ${name}`)
    );
    assert.deepEqual(foreign, []);
  });

  test("in the client one file names node:net and node:tls", () => {
    const client = files.filter(({ path }) => !path.startsWith("src/testing/"));
    const wired = client.filter(({ imports }) =>
      imports.some((name) => name === "node:net" || name === "node:tls")
    );
    assert.equal(wired.length, 1, wired.map(({ path }) => path).join(", "));
  });

  test("the ground floor knows no socket, file or timer", () => {
    const ground = files.filter(({ path }) => path !== "mod.ts" && roomOf(path).floor === 0);
    const outside = /^node:(net|tls|dns|fs|http|https|child_process|worker_threads|timers)/;
    assert.deepEqual(
      ground.filter(({ imports }) => imports.some((name) => outside.test(name))),
      [],
    );
    assert.deepEqual(offenders(/\bset(Timeout|Interval|Immediate)\(/, ground), []);
  });

  test("only tests name node:v8", () => {
    assert.deepEqual(files.filter(({ imports }) => imports.includes("node:v8")), []);
  });

  test("Buffer and process are imported, never taken as globals", () => {
    const globals = [
      [/(?<![.\w$#])Buffer\b(?!["':])/, "node:buffer"],
      [/(?<![.\w$#])process\./, "node:process"],
    ] as const;
    for (const [use, module] of globals) {
      const strangers = files.filter(({ imports }) => !imports.includes(module));
      assert.deepEqual(offenders(use, strangers), [], module);
    }
  });

  test("no any, no silenced compiler, no `using`, no default exports", () => {
    assert.deepEqual(offenders(/(:|<|\bas|,)\s*any\b(?!\()/), []);
    assert.deepEqual(
      files.filter(({ text }) => /@ts-(ignore|nocheck|expect-error)/.test(text)),
      [],
    );
    assert.deepEqual(offenders(/\b(await\s+)?using\s+\w+\s*=/), []);
    assert.deepEqual(offenders(/\bexport\s+default\b/), []);
  });

  test("above the client nothing checks the class of an object that another copy of the package may have made", () => {
    // A client may come from another copy of the package, and its errors then do too: use coreOf and
    // `code` instead. A store accepts its own sessions only, so those are always of its own copy.
    const names = exportedClasses().filter((name) => name !== "Session");
    assert.ok(
      names.includes("Memcached") && names.includes("TimeoutError"),
      "the classes were found",
    );
    const above = files.filter(({ path }) => path !== "mod.ts" && roomOf(path).floor >= CLIENT + 1);
    const asked = new RegExp(`\\binstanceof (${names.join("|")})\\b`);
    assert.match("error instanceof TimeoutError", asked);
    assert.deepEqual(offenders(asked, above), []);
    // The client itself checks the class of these, so only its own copy may make them.
    assert.deepEqual(offenders(/\bnew CheckedOptions\(/, above), []);
  });

  test("files are short, and named for what they hold", () => {
    const long = files.filter(({ text }) => codeLines(text) > 300);
    assert.deepEqual(long.map(({ path, text }) => `${path}: ${codeLines(text)} lines`), []);
    const vague = /^(utils?|helpers?|misc|common|shared|stuff|index)\.ts$/;
    assert.deepEqual(files.filter(({ path }) => vague.test(basename(path))), []);
  });
});

describe("these rules", () => {
  test("see imports however they are written", () => {
    const text = [
      `import { a } from "./a.ts";`,
      `import type { B } from '../protocol/b.ts';`,
      `export * from "./c.ts"; // from "./not.ts"`,
      `const d = await import("node:net");`,
      `import "./e.ts"; /* import "./nor.ts" */`,
      `import {\n  f,\n} from "./f.ts";`,
    ].join("\n");
    assert.deepEqual(readImports("src/cluster/x.ts", text), [
      "src/cluster/a.ts",
      "src/protocol/b.ts",
      "src/cluster/c.ts",
      "node:net",
      "src/cluster/e.ts",
      "src/cluster/f.ts",
    ]);
  });

  test("catch an import that goes up, and one into another room of the same floor", () => {
    const file = (path: string, ...imports: string[]): SourceFile => ({ path, text: "", imports });
    const wrong = (path: string, name: string): boolean =>
      wrongImports(file(path, name)).length === 1;
    assert.ok(wrong("src/protocol/parse.ts", "src/connection/connection.ts"));
    assert.ok(wrong("src/client/memcached.ts", "src/session/session.ts"));
    assert.ok(wrong("src/adapters/express.ts", "src/testing/mod.ts"));
    assert.ok(!wrong("src/session/store.ts", "src/client/memcached.ts"));
    assert.ok(!wrong("src/protocol/key.ts", "src/errors.ts"));
    assert.throws(() => wrong("src/elsewhere/x.ts", "src/errors.ts"), /on no floor/);
  });

  test("count code, not comments", () => {
    assert.equal(codeLines('/**\n * One.\n */\nconst a = "// no comment";\n\n// two\nf();\n'), 2);
    assert.equal(codeOnly('x("Buffer") // Buffer').trim(), 'x("")');
  });
});
