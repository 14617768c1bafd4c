/**
 * Starts a TypeScript file from a package.json script, in the right runtime:
 *
 *     node test/support/launch.js FILE [ARGUMENT...]
 *
 * `npm run` and `bun run` execute the same line. Bun runs it with Node if Node is installed, so under Bun this
 * script starts the file again with Bun itself. Node before 24 gets tsx for the types and `await using`. Deno
 * does not need this script, because its tasks in deno.json name the file. It is plain JavaScript, because
 * nothing can read TypeScript yet when it runs.
 */
import { spawn } from "node:child_process";
import { resolve } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";

const [node, , file = "", ...args] = process.argv;
const askedByBun = process.env["npm_config_user_agent"]?.startsWith("bun/") ?? false;

if (askedByBun && process.versions["bun"] === undefined) {
  const bun = process.env["npm_execpath"] ?? "bun";
  const child = spawn(bun, [resolve(file), ...args], { stdio: "inherit" });
  process.on("SIGINT", () => {}); // the child gets it too, and ends when it is done
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  child.on("exit", (code) => process.exitCode = code ?? 1);
} else {
  if (process.versions["bun"] === undefined && Number.parseInt(process.versions.node) < 24) {
    const { register } = await import("tsx/esm/api");
    register();
  }
  process.argv = [node ?? "node", resolve(file), ...args];
  await import(pathToFileURL(resolve(file)).href);
}
