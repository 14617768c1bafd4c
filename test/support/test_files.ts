/** Finds the test files that a command line means. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";

/** The folders under test/ that are not part of `npm test`. .ci/run has a step for most of them. */
const NOT_TESTS = [
  "attack",
  "bench",
  "browser",
  "chaos",
  "examples",
  "fake_timers",
  "model",
  "projects",
  "real_clients",
  "support",
  "telemetry",
  "workerd",
];

/**
 * Returns the test files under some paths.
 *
 * @param paths Files or folders. None: all tests.
 * @param name Only files that can have a test of this name are returned. undefined: all.
 */
export function findTestFiles(paths: readonly string[], name?: string): string[] {
  const folders = readdirSync("test").filter((folder) => !NOT_TESTS.includes(folder));
  const wanted = paths.length > 0 ? paths : folders.map((folder) => join("test", folder));
  const files = wanted.flatMap((path) => {
    if (!existsSync(path)) throw new Error(`There is no ${path}.`);
    return statSync(path).isFile() ? [path] : filesIn(path);
  });
  const tests = files.filter((file) => file.endsWith(".test.ts")).sort();
  if (tests.length === 0) throw new Error(`No tests in ${wanted.join(", ")}.`);
  if (name === undefined) return tests;
  const words = name.toLowerCase().match(/[a-z]{3,}/g) ?? [];
  const named = tests.filter((file) => {
    const text = textWithImports(file).toLowerCase();
    return words.every((word) => text.includes(word));
  });
  if (named.length === 0) throw new Error(`No test's name can contain "${name}".`);
  return named;
}

/** Returns the files of a folder and of its folders, except those that npm has installed. */
function filesIn(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (!entry.isDirectory()) return [path];
    return entry.name === "node_modules" ? [] : filesIn(path);
  });
}

/** Returns a file's text and that of the files under test/ that it imports, which may hold a suite's tests. */
function textWithImports(file: string, seen = new Set<string>()): string {
  if (seen.has(file)) return "";
  seen.add(file);
  const text = readFileSync(file, "utf8");
  const imports = [...text.matchAll(/from "(\.\.?\/[^"]+\.ts)"/g)]
    .map(([, path = ""]) => join(dirname(file), path))
    .filter((path) => /^test\/(?!support\/)/.test(path) && existsSync(path));
  return [text, ...imports.map((path) => textWithImports(path, seen))].join("\n");
}
