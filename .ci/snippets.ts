/**
 * Type-checks and runs the code in documentation:
 *
 *     node --import tsx .ci/snippets.ts FILE_OR_FOLDER...
 *
 * Fences marked `ts` in Markdown files and in doc comments of `.ts` files are type-checked all together, and
 * then each is run. Fences marked `js` are run. `memwire` stands for this checkout; nothing else is changed. A
 * fence without an import continues the one before it. A fence marked `ts no-run` is only type-checked.
 *
 * A memcached runs on localhost:11211. If that port is taken, it runs on another one, which then replaces 11211
 * in the snippets. A snippet must end by itself with code 0. A snippet that serves HTTP is asked twice, the
 * second time with the cookie that it has set. It must answer 200 both times, with different bodies, and is then
 * killed. Snippets with `Deno.` run in Deno, those with `Bun.` in Bun, those with node:http in Node, and README's
 * others in each runtime of `$MEMWIRE_RUNTIMES` (paths separated by colons).
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { basename, join, relative, resolve } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { startMemcached } from "../test/support/memcached.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
/** The time limit of one snippet, in ms. */
const LIMIT = 20_000;

interface Snippet {
  /** "README.md:21". */
  readonly where: string;
  readonly code: string;
  readonly language: "ts" | "js";
  readonly run: boolean;
}

/** The types of other runtimes' globals that the snippets use. */
const GLOBALS = `
type Handler = (request: Request) => Response | Promise<Response>;
declare const Deno: {
  serve(options: { port?: number; hostname?: string }, handler: Handler): unknown;
  serve(handler: Handler): unknown;
};
declare const Bun: {
  serve(options: { port?: number; fetch: Handler; error?: (error: Error) => Response }): unknown;
};
`;

function filesOf(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path];
  const names = readdirSync(path, { recursive: true, encoding: "utf8" });
  return names.filter((name) => /\.(ts|md)$/.test(name)).sort().map((name) => join(path, name));
}

function snippetsOf(file: string): Snippet[] {
  const snippets: Snippet[] = [];
  let open:
    | { fence: string; line: number; info: string; code: string[] }
    | undefined;
  for (
    const [index, whole] of readFileSync(file, "utf8").split("\n").entries()
  ) {
    const line = file.endsWith(".md") ? whole : /^\s*\* ?(.*)$/.exec(whole)?.[1];
    if (line === undefined) open = undefined; // the comment has ended
    else if (open === undefined) {
      const [, fence, info] = /^\s*(`{3,})(.*)$/.exec(line) ?? [];
      if (fence !== undefined) {
        open = {
          fence,
          line: index + 1,
          info: info?.trim() ?? "",
          code: [],
        };
      }
    } else if (line.trim() === open.fence) {
      const { info, line: at, code } = open;
      open = undefined;
      const [language, ...marks] = info.split(/\s+/);
      if (language !== "ts" && language !== "js") continue;
      const text = code.join("\n") + "\n";
      const before = /^\s*import\b/m.test(text) ? "" : snippets.at(-1)?.code ?? "";
      const where = `${relative(ROOT, file)}:${at}`;
      snippets.push({
        where,
        code: before + text,
        language,
        run: !marks.includes("no-run"),
      });
    } else open.code.push(line);
  }
  return snippets;
}

/** The package's import names, and the files that they stand for. */
function entries(): Map<string, string> {
  const { name, exports } = JSON.parse(
    readFileSync(join(ROOT, "deno.json"), "utf8"),
  ) as {
    name: string;
    exports: Record<string, string>;
  };
  const found = new Map<string, string>();
  for (const [key, file] of Object.entries(exports)) {
    for (const prefix of ["memwire", name, `jsr:${name}`, "npm:memwire"]) {
      found.set(prefix + key.slice(1), join(ROOT, file));
    }
  }
  return found;
}

function prepare(
  code: string,
  names: ReadonlyMap<string, string>,
  port: number,
): string {
  const pointed = code.replace(
    /(\bfrom\s*|\bimport\s*\(?\s*)"([^"]+)"/g,
    (whole, before: string, name: string) =>
      names.has(name) ? `${before}${JSON.stringify(names.get(name))}` : whole,
  );
  return pointed.replace(/\b(localhost|127\.0\.0\.1):11211\b/g, `$1:${port}`);
}

function checkTypes(folder: string): boolean {
  const compilerOptions = {
    target: "es2023",
    lib: ["es2023", "esnext.disposable"],
    types: ["node"],
    typeRoots: [join(ROOT, "node_modules/@types")],
    module: "nodenext",
    moduleDetection: "force",
    allowImportingTsExtensions: true,
    noEmit: true,
    strict: true,
    skipLibCheck: true,
  };
  const config = { compilerOptions, include: ["*.ts"] };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
  const compiler = join(ROOT, "node_modules/typescript/bin/tsc");
  return spawnSync(process.execPath, [compiler, "-p", folder], {
    stdio: "inherit",
  }).status === 0;
}

function kindOf(runtime: string): "deno" | "bun" | "node" {
  const name = basename(runtime);
  return name.startsWith("deno") ? "deno" : name.startsWith("bun") ? "bun" : "node";
}

function runtimesFor({ code, where }: Snippet): string[] {
  const given = process.env["MEMWIRE_RUNTIMES"]?.split(":") ??
    [process.execPath, "deno", "bun"];
  const only = /\bDeno\./.test(code) ? "deno" : /\bBun\./.test(code) ? "bun" : undefined;
  const kind = only ?? (/"node:https?"/.test(code) ? "node" : undefined);
  if (kind !== undefined) {
    return given.filter((runtime) => kindOf(runtime) === kind);
  }
  return where.startsWith("README") ? given : given.slice(0, 1);
}

function start(runtime: string, file: string): ChildProcess {
  const kind = kindOf(runtime);
  const tsx = join(ROOT, "node_modules/tsx/dist/esm/index.mjs");
  const before = {
    deno: ["run", "-A", "--no-check"],
    bun: [],
    node: ["--import", tsx],
  }[kind];
  const child = spawn(runtime, [...before, file], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  return child;
}

/** Runs a snippet. Resolves to what went wrong. */
async function run(
  runtime: string,
  file: string,
  code: string,
): Promise<string | undefined> {
  const port = /\.listen\((\d+)/.exec(code)?.[1] ??
    /\bport: (\d+)/.exec(code)?.[1];
  const serves = /\.listen\(|\b(Deno|Bun)\.serve\(/.test(code);
  if (serves && port === undefined) {
    return "a server in a snippet names its port";
  }
  if (serves && await isTaken(Number(port))) return `port ${port} is taken`;
  const child = start(runtime, file);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => output += text);
  }
  const exited = once(child, "exit").then(([code, signal]) => String(code ?? signal));
  const timer = setTimeout(() => child.kill("SIGKILL"), LIMIT);
  let problem: string | undefined;
  if (serves) {
    problem = await Promise.race([
      visit(`http://127.0.0.1:${port}/`).catch((error) => String(error)),
      exited.then((code) => `the server ended with ${code}`),
    ]);
    child.kill("SIGKILL");
  }
  const code0 = await exited;
  clearTimeout(timer);
  if (!serves && code0 !== "0") problem = `it ended with ${code0}`;
  return problem && `${problem}\n${output}`;
}

async function visit(url: string): Promise<string | undefined> {
  const limit = Date.now() + LIMIT / 2;
  while (
    await isTaken(Number(new URL(url).port)) === false && Date.now() < limit
  ) await sleep(20);
  const first = await fetch(url);
  const cookie = first.headers.get("set-cookie")?.split(";")[0] ?? "";
  const second = await fetch(url, { headers: { cookie } });
  const bodies = [await first.text(), await second.text()];
  if (first.status !== 200 || second.status !== 200) {
    return `status ${first.status}: ${bodies[0]}`;
  }
  if (cookie === "") return "it sets no cookie";
  if (bodies[0] === bodies[1]) return `twice the same answer: ${bodies[0]}`;
  return await race(url, cookie);
}

/** Sends ten requests beside a login, all with the same cookie. None of them may undo the login. */
async function race(url: string, cookie: string): Promise<string | undefined> {
  const headers = { cookie };
  const visits = Array.from({ length: 10 }, () => fetch(url, { headers }));
  const [login, ...others] = await Promise.all([fetch(`${url}login`, { headers }), ...visits]);
  for (const { status, headers } of others) {
    if (status !== 200) return `status ${status} beside a login`;
    if (headers.has("set-cookie")) return "a request beside a login sets the cookie";
  }
  const fresh = login.headers.get("set-cookie")?.split(";")[0] ?? "";
  if (fresh === "" || fresh === cookie) return "a login sets no new cookie";
  const before = Number(/\d+/.exec(await login.text())?.[0]);
  const last = await fetch(url, { headers: { cookie: fresh } });
  const after = Number(/\d+/.exec(await last.text())?.[0]);
  // Requests that were stored before the session moved count too: 2, the login, 10, and this one.
  return after > before && after <= 14 ? undefined : `visit ${after}, the login was ${before}`;
}

function isTaken(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  return new Promise<boolean>((resolve) => {
    socket.once("connect", () => resolve(true)).once(
      "error",
      () => resolve(false),
    );
  }).finally(() => socket.destroy());
}

const paths = process.argv.slice(2).map((path) => resolve(path));
const snippets = paths.flatMap(filesOf).flatMap(snippetsOf);
if (snippets.length === 0) throw new Error("no snippets were found");
const folder = mkdtempSync(join(tmpdir(), "memwire-snippets-"));
const memcached = await isTaken(11211)
  ? await startMemcached()
  : await startMemcached({ port: 11211 });
try {
  writeFileSync(join(folder, "package.json"), `{ "type": "module" }`);
  writeFileSync(join(folder, "globals.d.ts"), GLOBALS);
  const names = entries();
  const prepared = snippets.map((snippet) => {
    const name = snippet.where.replace(/[^\w]+/g, "_");
    const file = join(folder, `${name}.${snippet.language}`);
    writeFileSync(file, prepare(snippet.code, names, memcached.port));
    return { snippet, file };
  });
  if (!checkTypes(folder)) process.exitCode = 1;
  let runs = 0;
  for (const { snippet, file } of prepared) {
    for (const runtime of snippet.run ? runtimesFor(snippet) : []) {
      runs++;
      const problem = await run(runtime, file, snippet.code);
      if (problem === undefined) continue;
      console.error(`\n${snippet.where} in ${kindOf(runtime)}: ${problem}`);
      process.exitCode = 1;
    }
  }
  const unrun = snippets.filter(({ run }) => !run).length;
  console.log(
    `${snippets.length} snippets, ${runs} runs, ${unrun} only type-checked.`,
  );
} finally {
  await memcached.stop();
  rmSync(folder, { recursive: true, force: true });
}
