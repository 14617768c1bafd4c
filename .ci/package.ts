/**
 * Packs the package, installs the tarball into empty projects and uses it there:
 *
 *     node --import tsx .ci/package.ts
 *
 * - its contents: compiled code and types, nothing of tests, no source maps;
 * - README's first screen: `npx memwire serve` starts an embedded server, and the first snippet works with it in
 *   each runtime of `$MEMWIRE_RUNTIMES`; README has no picture that npm's page could not show;
 * - publint and attw find nothing;
 * - every sub-path is importable, and a get and a set work, in each runtime of `$MEMWIRE_RUNTIMES`;
 * - its types compile without @types/node and without skipLibCheck, with the module resolution of bundlers and
 *   of Node.
 */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { startMemcached } from "../test/support/memcached.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const TOOLS = join(ROOT, ".ci/node_modules/.bin");
const work = mkdtempSync(join(tmpdir(), "memwire-package-"));
const memcached = await startMemcached();
const runtimes = process.env["MEMWIRE_RUNTIMES"]?.split(":") ?? [process.execPath];
try {
  const tarball = pack();
  const project = install(tarball);
  lint(tarball, project);
  await firstScreen(project, runtimes);
  const subPaths = exportsOf(project);
  checkTypes(project, subPaths);
  for (const runtime of runtimes) {
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

/** Takes README's first screen: a server by `npx memwire serve`, and ten lines that talk to it. */
async function firstScreen(project: string, runtimes: readonly string[]): Promise<void> {
  const readme = readFileSync(join(ROOT, "README.md"), "utf8");
  const [, command = ""] = /^npx (memwire serve)\b/m.exec(readme) ?? [];
  const [, snippet = ""] = /^```ts\n([^]*?)^```$/m.exec(readme) ?? [];
  if (command === "" || !snippet.includes("localhost:11211")) {
    throw new Error("README's first screen has no `npx memwire serve`, or no snippet that uses it");
  }
  const pictures = [...readme.matchAll(/!\[.*?\]\((?!https:)(.*?)\)/g)].map(([, path]) => path);
  if (pictures.length > 0) throw new Error(`npm's page cannot show ${pictures.join(", ")}`);

  // The snippet's port may be taken on this machine, so server and snippet get another one.
  const serve = spawn("npx", ["--offline", ...command.split(" "), "--port", "0"], {
    cwd: project,
    detached: true,
  });
  const kill = (): void => void process.kill(-(serve.pid as number), "SIGKILL");
  const timer = setTimeout(kill, 20_000);
  let output = "";
  let port: string | undefined;
  for await (const text of serve.stdout.setEncoding("utf8")) {
    output += text;
    port = /127\.0\.0\.1:(\d+)/.exec(output)?.[1];
    if (port !== undefined) break;
  }
  clearTimeout(timer);
  if (port === undefined) throw new Error(`npx ${command}: ${output}`);
  try {
    const program = snippet.replace("localhost:11211", `localhost:${port}`);
    writeFileSync(join(project, "first.mjs"), program);
    for (const runtime of runtimes) {
      const printed = run(runtime, [...permissions(runtime), "first.mjs"], project);
      if (!/hello[^]*^stored$/m.test(printed)) throw new Error(`${runtime} printed ${printed}`);
    }
  } finally {
    kill();
  }
  console.log("README's first screen works");
}

function permissions(runtime: string): string[] {
  return basename(runtime).startsWith("deno") ? ["run", "--allow-net", "--no-check"] : [];
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
      throw new Error("the value read is not the one that was stored");
    }
    const store = new SessionStore({ client });
    const session = await store.open();
    session.set("user", "ada");
    await store.storeSession(session);
    if ((await store.open(session.id)).get("user") !== "ada") throw new Error("no session");
    await client.close();
  `;
  writeFileSync(join(project, "use.js"), program);
  run(runtime, [...permissions(runtime), "use.js"], project);
  console.log(`works in ${basename(runtime)}`);
}

/** Runs a program, and returns its output. */
function run(program: string, args: readonly string[], folder: string): string {
  const { status, stdout, stderr } = spawnSync(program, args, {
    cwd: folder,
    encoding: "utf8",
    timeout: 60_000,
  });
  if (status === 0) return stdout;
  throw new Error(
    `${program} ${args.join(" ")} ended with ${status}\n${stdout}${stderr}`,
  );
}
