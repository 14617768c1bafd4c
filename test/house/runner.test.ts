/** Tests the test command itself: a file that fails, hangs, leaks or has no test makes it fail. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { describe, test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";

const RUN = fileURLToPath(new URL("../support/run.ts", import.meta.url));
const LAUNCHER = fileURLToPath(new URL("../support/launch.js", import.meta.url));

interface Outcome {
  readonly code: number;
  readonly text: string;
}

/** Runs the command in this runtime, on test files with these texts. */
function run(
  t: TestContext,
  files: Readonly<Record<string, string>>,
  ...flags: string[]
): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), "memwire-runner-"));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), `import { describe, test } from "node:test";\n${text}\n`);
  }
  const before = "deno" in process.versions ? ["run", "-A", "--no-check"] : [LAUNCHER];
  const args = [...before, RUN, "--no-types", ...flags, folder];
  return new Promise((done) => {
    execFile(process.execPath, args, (error, stdout, stderr) => {
      done({ code: error === null ? 0 : Number(error.code), text: stdout + stderr });
    });
  });
}

const GOOD = `console.warn("EXPECTED WARNING"); test("good", () => {});`;

describe("npm test", () => {
  test("counts passed tests, and prints nothing of a file that passed", async (t) => {
    const { code, text } = await run(t, { "a.test.ts": GOOD, "b.test.ts": GOOD, "c.ts": "" });
    assert.equal(code, 0, text);
    assert.match(text, /^ok {3}.*a\.test\.ts {2}1 passed/m);
    assert.match(text, /^2 passed, 0 failed$/m);
    assert.doesNotMatch(text, /EXPECTED/);
  });

  test("finds the tests of folders in folders, but none that npm has installed", async (t) => {
    const bad = `test("bad", () => { throw new Error("broken"); });`;
    const files = { "a.test.ts": GOOD, "b/c/d.test.ts": GOOD, "b/node_modules/e.test.ts": bad };
    const { code, text } = await run(t, files);
    assert.equal(code, 0, text);
    assert.match(text, /^2 passed, 0 failed$/m);
  });

  test("shows what a failing file printed, names it, and runs the others", async (t) => {
    const bad = `console.warn("REASON"); test("bad", () => { throw new Error("broken"); });`;
    const { code, text } = await run(t, { "a.test.ts": bad, "b.test.ts": GOOD });
    assert.equal(code, 1, text);
    for (const line of [/REASON/, /broken/, /^FAIL .*a\.test\.ts/m, /^ok {3}.*b\.test\.ts/m]) {
      assert.match(text, line);
    }
    assert.match(text, /^1 passed, 1 failed$/m);
  });

  test("runs a file that has failed once more, alone, and names it if it passes then", async (t) => {
    const once = `import { existsSync, writeFileSync } from "node:fs";
      const mark = new URL("mark", import.meta.url);
      const isFirst = !existsSync(mark);
      writeFileSync(mark, "");
      test("unsteady", () => { if (isFirst) throw new Error("the first time"); });`;
    const { code, text } = await run(t, { "a.test.ts": once, "b.test.ts": GOOD });
    assert.equal(code, 0, text);
    assert.match(
      text,
      /the first time[^]*Once more, alone: [^]*Passed only alone:\n {2}.*a\.test\.ts/,
    );
    assert.match(text, /^2 passed, 0 failed$/m);
  });

  test("ends a file that hangs, and only that one", async (t) => {
    const hanging = `test("waits", () => new Promise(() => setInterval(() => {}, 1000)));`;
    const files = { "a.test.ts": hanging, "b.test.ts": GOOD };
    const { code, text } = await run(t, files, "--limit", "6");
    assert.equal(code, 1, text);
    assert.match(text, /HANGS: it did not end within 6 s/);
    assert.match(text, /^ok {3}.*b\.test\.ts/m);
  });

  test("fails when a file cannot be loaded", async (t) => {
    const { code, text } = await run(t, {
      "a.test.ts": `import "./missing.ts";`,
      "b.test.ts": GOOD,
    });
    assert.equal(code, 1, text);
    assert.match(text, /^FAIL .*a\.test\.ts/m);
  });

  test("runs only the tests of a name, even inside a describe", async (t) => {
    const inner = `describe("outer", () => {
      test("the wanted one", () => {});
      test("another", () => { throw new Error("not wanted"); });
    });`;
    const { code, text } = await run(
      t,
      { "a.test.ts": inner, "b.test.ts": GOOD },
      "--name",
      "wanted",
    );
    // Deno cannot look into a describe, so it runs the whole file, and this one fails.
    assert.equal(code, "deno" in process.versions ? 1 : 0, text);
    assert.doesNotMatch(text, /b\.test\.ts/);
    const none = await run(t, { "b.test.ts": GOOD }, "--name", "unheard of");
    assert.equal(none.code, 1);
    assert.match(none.text, /No test's name can contain "unheard of"/);
  });

  test("refuses a flag, a path and a group that do not exist", async (t) => {
    for (
      const [flags, message] of [
        [["--nmae", "x"], /--nmae[^]*npm test -- --name/],
        [["test/nowhere"], /There is no test\/nowhere/],
        [["--install", "chrome"], /unknown group "chrome"/],
        [["--limit", "soon"], /--limit is soon/],
      ] as const
    ) {
      const { code, text } = await run(t, { "b.test.ts": GOOD }, ...flags);
      assert.equal(code, 1, text);
      assert.match(text, message);
    }
  });
});
