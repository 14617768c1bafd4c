/**
 * Packs the package, installs the tarball into empty projects and uses it there:
 *
 *     node --import tsx .ci/package.ts
 *
 * - its contents: compiled code and types, nothing of tests, no source maps;
 * - publint and attw find nothing;
 * - every sub-path is importable, and a get and a set work, in each runtime of `$MEMWIRE_RUNTIMES`;
 * - its types compile where there is no @types/node, without skipLibCheck, as a bundler and as Node
 *   resolve them.
 */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { Memcached } from "../mod.ts";
import { startMemcached } from "../test/support/memcached.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const TOOLS = join(ROOT, ".ci/node_modules/.bin");
const work = mkdtempSync(join(tmpdir(), "memwire-package-"));
const memcached = await startMemcached();
try {
  const tarball = pack();
  const project = install(tarball);
  lint(tarball, project);
  await command(project);
  const subPaths = exportsOf(project);
  checkTypes(project, subPaths);
  for (
    const runtime of process.env["MEMWIRE_RUNTIMES"]?.split(":") ??
      [process.execPath]
  ) {
    use(runtime, project, subPaths, memcached.address);
  }
} finally {
  await memcached.stop();
  rmSync(work, { recursive: true, force: true });
}

function pack(): string {
  run("npm", ["pack", "--pack-destination", work], ROOT);
  const name = readdirSync(work).find((file) => file.endsWith(".tgz"));
  if (name === undefined) throw new Error("npm pack made no tarball");
  const files = execFileSync("tar", ["-tzf", join(work, name)], {
    encoding: "utf8",
  });
  const wrong = files.trim().split("\n").filter((file) =>
    !/^package\/(dist\/.*\.(js|d\.ts)|package\.json|README\.md|LICENSE|CHANGELOG\.md)$/
      .test(file)
  );
  if (wrong.length > 0) {
    throw new Error(`does not belong into the package: ${wrong.join(", ")}`);
  }
  console.log(`${name}: ${files.trim().split("\n").length} files`);
  return join(work, name);
}

function install(tarball: string): string {
  const project = join(work, "project");
  mkdirSync(project);
  writeFileSync(
    join(project, "package.json"),
    `{ "private": true, "type": "module" }`,
  );
  run("npm", ["install", "--no-audit", "--no-fund", tarball], project);
  const installed = readdirSync(join(project, "node_modules")).filter((name) => name[0] !== ".");
  if (installed.join() !== "memwire") {
    throw new Error(`it installs ${installed.join(", ")}`);
  }
  return project;
}

function lint(tarball: string, project: string): void {
  run(join(TOOLS, "publint"), [
    "--strict",
    "--pack",
    "false",
    "node_modules/memwire",
  ], project);
  run(join(TOOLS, "attw"), ["--profile", "esm-only", tarball], project);
}

/** The command that the package installs starts an embedded server. */
async function command(project: string): Promise<void> {
  const serve = spawn("npx", ["--offline", "memwire", "serve", "--port", "0"], {
    cwd: project,
    detached: true,
  });
  const timer = setTimeout(() => process.kill(-(serve.pid as number), "SIGKILL"), 20_000);
  let output = "";
  for await (const text of serve.stdout.setEncoding("utf8")) {
    output += text;
    const [, port] = /127\.0\.0\.1:(\d+)/.exec(output) ?? [];
    if (port === undefined) continue;
    await using client = new Memcached(`127.0.0.1:${port}`);
    await client.set("key", "value");
    if (await client.get("key") !== "value") throw new Error("not what was stored");
    process.kill(-(serve.pid as number), "SIGTERM");
    clearTimeout(timer);
    console.log("npx memwire serve works");
    return;
  }
  throw new Error(`npx memwire serve: ${output}`);
}

/** "memwire", "memwire/v8"... */
function exportsOf(project: string): string[] {
  const manifest = readFileSync(
    join(project, "node_modules/memwire/package.json"),
    "utf8",
  );
  const { exports } = JSON.parse(manifest) as {
    exports: Record<string, unknown>;
  };
  const paths = Object.keys(exports).filter((path) => path !== "./package.json");
  return paths.map((path) => `memwire${path.slice(1)}`);
}

function checkTypes(project: string, subPaths: readonly string[]): void {
  const imports = subPaths.map((path, at) => `export * as m${at} from "${path}";`).join("\n");
  writeFileSync(
    join(project, "consumer.ts"),
    `${imports}
import { Memcached, SessionStore } from "memwire";
const memcached = new Memcached("localhost", { timeout: 100 });
export const value: string | undefined = await memcached.get<string>("key");
export const sessions = new SessionStore<{ user: string }>({ client: memcached });
export const user: string | undefined = (await sessions.open()).get("user");
// @ts-expect-error there is no such field
(await sessions.open()).get("nobody");
`,
  );
  const common = { strict: true, noEmit: true, types: [], skipLibCheck: false };
  const settings = [
    {
      module: "nodenext",
      target: "es2023",
      lib: ["es2023", "dom", "esnext.disposable"],
    },
    { module: "esnext", moduleResolution: "bundler", target: "esnext" },
  ];
  for (const setting of settings) {
    const compilerOptions = { ...common, ...setting };
    const config = JSON.stringify({ compilerOptions, files: ["consumer.ts"] });
    writeFileSync(join(project, "tsconfig.json"), config);
    run(
      process.execPath,
      [join(ROOT, "node_modules/typescript/bin/tsc")],
      project,
    );
  }
  console.log("types: fine without @types/node");
}

function use(
  runtime: string,
  project: string,
  subPaths: readonly string[],
  address: string,
): void {
  const program = `
    for (const path of ${JSON.stringify(subPaths)}) {
      if (Object.keys(await import(path)).length === 0) throw new Error(path + " exports nothing");
    }
    const { Memcached, SessionStore } = await import("memwire");
    const client = new Memcached(${JSON.stringify(address)});
    const stored = { at: new Date(0), tags: new Set(["a"]), big: 2n ** 70n };
    await client.set("key", stored);
    const read = await client.get("key");
    if (read.at.getTime() !== 0 || !read.tags.has("a") || read.big !== 2n ** 70n) {
      throw new Error("not what was stored");
    }
    const store = new SessionStore({ client });
    const session = await store.open();
    session.set("user", "ada");
    await store.storeSession(session);
    if ((await store.open(session.id)).get("user") !== "ada") throw new Error("no session");
    await client.close();
  `;
  writeFileSync(join(project, "use.js"), program);
  const before = basename(runtime).startsWith("deno") ? ["run", "-A", "--no-check"] : [];
  run(runtime, [...before, "use.js"], project);
  console.log(`works in ${basename(runtime)}`);
}

function run(program: string, args: readonly string[], folder: string): void {
  const { status, stdout, stderr } = spawnSync(program, args, {
    cwd: folder,
    encoding: "utf8",
    timeout: 60_000,
  });
  if (status === 0) return;
  throw new Error(
    `${program} ${args.join(" ")} ended with ${status}\n${stdout}${stderr}`,
  );
}
