import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const PROJECTS = join(ROOT, "test/projects");

test("README's recipes for importing are files of the projects that CI runs", () => {
  const readme = readFileSync(join(ROOT, "README.md"), "utf8");
  const [, section = ""] = /^## Importing it\n([^]*?)^## /m.exec(readme) ?? [];
  const recipes = [...section.matchAll(/^```\w.*\n([^]*?)^```$/gm)].map(([, code]) => code);
  assert.equal(recipes.length, 2, "the recipes were found");
  const paths = readdirSync(PROJECTS, { recursive: true, encoding: "utf8" })
    .map((path) => join(PROJECTS, path))
    .filter((path) => statSync(path).isFile());
  const files = new Set(paths.map((path) => readFileSync(path, "utf8")));
  for (const recipe of recipes) {
    assert.ok(files.has(recipe as string), `no project runs:\n${recipe}`);
  }
});

test("every project says what it proves, and has a lock file if it needs packages", () => {
  const projects = readdirSync(PROJECTS).filter((name) => name !== "run.ts");
  assert.ok(projects.length > 5, "the projects were found");
  for (const name of projects) {
    const manifest = JSON.parse(readFileSync(join(PROJECTS, name, "package.json"), "utf8"));
    assert.match(manifest.description, /\w+ \w+/, name);
    const hasLock = readdirSync(join(PROJECTS, name)).includes("package-lock.json");
    assert.equal(hasLock, manifest.devDependencies !== undefined, name);
  }
});
