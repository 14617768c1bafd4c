import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { VERSION } from "../../src/client/copies.ts";
import { codeOnly } from "./source_files.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly main?: string;
  readonly types?: string;
  readonly typesVersions?: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;
  readonly bin: Readonly<Record<string, string>>;
  readonly dependencies?: unknown;
  readonly peerDependencies?: unknown;
  readonly optionalDependencies?: unknown;
  readonly devDependencies: Readonly<Record<string, string>>;
}

function read(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

const npm = JSON.parse(read("package.json")) as Manifest;
const jsr = JSON.parse(read("deno.json")) as Manifest;

test("package.json and deno.json agree", () => {
  assert.equal(jsr.name, `@${npm.name}/${npm.name}`);
  assert.equal(jsr.version, npm.version);
  assert.equal(VERSION, npm.version);
  assert.equal(jsr.license, npm.license);
  assert.ok(read("CHANGELOG.md").includes(npm.version), "CHANGELOG.md has this version");
});

/** A compiled module as package.json's exports name it. */
function both(file: string): Record<string, string> {
  return { types: file.replace(/\.js$/, ".d.ts"), default: file };
}

test("every sub-path is in both, and names the same file", () => {
  const { "./package.json": _, ...rest } = npm.exports;
  const paths: Record<string, unknown> = rest;
  // npm names a command; JSR runs a file.
  paths["./cli"] = both("./" + npm.bin["memwire"]);
  assert.deepEqual(Object.keys(paths).sort(), Object.keys(jsr.exports).sort());
  for (const [path, source] of Object.entries(jsr.exports)) {
    assert.ok(typeof source === "string" && existsSync(join(ROOT, source)), `${path}: ${source}`);
    const compiled = source.replace(/^\.\//, "./dist/");
    assert.deepEqual(paths[path], both(compiled.replace(/\.ts$/, ".js")));
  }
});

test("main, types and typesVersions agree with exports, for tools that do not read exports", () => {
  const { ".": main, "./package.json": _, ...subPaths } = npm.exports;
  assert.deepEqual({ types: npm.types, default: npm.main }, main);
  const types = Object.entries(subPaths).map(([path, target]) => {
    assert.ok(typeof target === "object", path);
    return [path.replace(/^\.\//, ""), [target["types"]]];
  });
  assert.deepEqual(npm.typesVersions, { "*": Object.fromEntries(types) });
});

test("there are no dependencies, and three for development", () => {
  assert.equal(npm.dependencies, undefined);
  assert.equal(npm.peerDependencies, undefined);
  assert.equal(npm.optionalDependencies, undefined);
  assert.deepEqual(Object.keys(npm.devDependencies).sort(), ["@types/node", "tsx", "typescript"]);
});

test("lock files name no download location", () => {
  const projects = readdirSync(join(ROOT, "test/projects")).map((name) => `test/projects/${name}`);
  const others = ["test/bench/peers", "test/examples/frameworks", "test/real_clients"];
  const paths = [".", ".ci", ...others, ...projects]
    .map((folder) => `${folder}/package-lock.json`)
    .filter((path) => existsSync(join(ROOT, path)));
  assert.ok(paths.length > 3, "the lock files were found");
  for (const path of paths) assert.doesNotMatch(read(path), /"resolved": "http/, path);
});

/** The test files in a folder and below it, without those of installed packages. */
function testsUnder(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === "node_modules" ? [] : testsUnder(path);
    return path.endsWith(".test.ts") ? [path] : [];
  });
}

test("no test is skipped, marked as todo, or run alone", () => {
  const tests = testsUnder("test");
  assert.ok(tests.length > 10, "the tests were found");
  const call = /\b(?:test|it|describe|suite|t)\.(?:skip|only|todo)\b/;
  const option = /[{,]\s*(?:skip|todo|only):(?!\s*(?:number|string|boolean)\b)/;
  const marked = new RegExp(`${call.source}|${option.source}`);
  for (const sample of ['test.skip("a")', "t.todo()", 'it("a", { skip: process.env.CI }, f)']) {
    assert.match(sample, marked);
  }
  const marks = tests.filter((path) => marked.test(codeOnly(read(path))));
  assert.deepEqual(marks, []);
});
