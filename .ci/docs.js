/**
 * Makes the API pages from the doc comments, as JSR shows them: `npm run docs`.
 *
 *     node .ci/docs.js [FOLDER]          default: docs
 *
 * Deno makes them, because typedoc does not support TypeScript 7. npx downloads Deno if it is not installed.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import process from "node:process";

const [, , folder = "docs"] = process.argv;
const { exports } = JSON.parse(readFileSync(new URL("../deno.json", import.meta.url), "utf8"));
const entries = Object.entries(exports).filter(([path]) => path !== "./cli");
const args = ["doc", "--html", "--quiet", "--name=memwire", `--output=${folder}`];
const { status } = spawnSync(
  "npx",
  ["--yes", "deno@2", ...args, ...entries.map(([, file]) => file)],
  { stdio: "inherit", cwd: new URL("..", import.meta.url) },
);
process.exitCode = status ?? 1;
