/**
 * The programs that tests start, and how a machine gets them.
 *
 * `npm test` calls `provide(["tests"], ...)` before it starts. As root on Debian or Ubuntu that installs what
 * is missing. Elsewhere it throws one error that names all missing programs, so that nobody finds them one by
 * one. This is not an install script of package.json, because every user of the package would run that.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import process from "node:process";
import {
  type Environment,
  findMemcached,
  findProgram,
  pullImage,
  WAYS_TO_GET_ONE,
} from "./find_memcached.ts";

/** A program, or a group of modules, that some test starts. */
interface Need {
  readonly name: string;
  /** The Debian packages that contain it. */
  readonly packages: readonly string[];
  /** How to get it without Debian's packages. */
  readonly hint: string;
  readonly isThere: (env: Environment) => boolean;
}

/** Where Debian has the jar. */
export const SPYMEMCACHED = "/usr/share/java/spymemcached.jar";

const PYTHON_CLIENTS = ["memcache", "pymemcache", "pylibmc"];

const MEMCACHED: Need = {
  name: "memcached",
  packages: ["memcached"],
  hint: WAYS_TO_GET_ONE,
  isThere: (env) => findMemcached(env)?.kind === "program",
};

const REDIS = program("redis-server", "Redis: https://redis.io");

const TESTS: readonly Need[] = [
  MEMCACHED,
  program("nutcracker", "twemproxy 0.5: https://github.com/twitter/twemproxy"),
  program("openssl", "the package openssl of your system"),
  REDIS, // for the error of a client that connects to the wrong port
  {
    name: "python3 with python-memcached, pymemcache and pylibmc",
    packages: PYTHON_CLIENTS.map((name) => `python3-${name}`),
    hint: "pip install python-memcached pymemcache pylibmc, and PYTHON=/path/to/that/python3",
    isThere: (env) => findPython(env) !== undefined,
  },
];

/** The clients of other languages whose values test/real_clients reads and writes. */
const CLIENTS: readonly Need[] = [
  {
    name: "php with the extension memcached",
    packages: ["php-cli", "php-memcached", "php-igbinary", "php-msgpack"],
    hint: "PHP with the extensions memcached, igbinary and msgpack: https://pecl.php.net",
    isThere: (env) => runs("php", ["-r", 'exit(extension_loaded("memcached") ? 0 : 1);'], env),
  },
  {
    name: "ruby with dalli",
    packages: ["ruby", "ruby-dalli"],
    hint: "gem install dalli",
    isThere: (env) => runs("ruby", ["-e", 'require "dalli"'], env),
  },
  {
    name: "java with spymemcached",
    packages: ["default-jdk-headless", "libspymemcached-java"],
    hint: `a JDK, and spymemcached's jar as ${SPYMEMCACHED}`,
    isThere: (env) => findProgram("javac", env) !== undefined && existsSync(SPYMEMCACHED),
  },
];

/** The groups that can be named: `npm test -- --install chromium`. */
const GROUPS: Readonly<Record<string, readonly Need[]>> = {
  tests: TESTS,
  chromium: [program("chromium", "Chromium, with the name chromium on PATH")],
  redis: [REDIS],
  clients: CLIENTS,
};

/** The names that `provide` takes. */
export const GROUP_NAMES: readonly string[] = Object.keys(GROUPS);

/** What must be done before a run. */
export interface Plan {
  /** The Debian packages to install. */
  readonly install: readonly string[];
  /** What is missing and cannot be installed here, each with a hint. */
  readonly missing: readonly string[];
}

/**
 * Compares what is needed with what this machine has.
 *
 * @param groups Names from GROUP_NAMES.
 * @param mayInstall Whether Debian's packages can be installed here.
 */
export function plan(groups: readonly string[], env: Environment, mayInstall: boolean): Plan {
  const missing = groups.flatMap((group) => {
    const needs = GROUPS[group];
    if (needs === undefined) {
      throw new Error(`unknown group "${group}", expected one of ${GROUP_NAMES.join(", ")}`);
    }
    return needs.filter((need) => !need.isThere(env));
  });
  if (mayInstall) return { install: missing.flatMap(({ packages }) => packages), missing: [] };
  // Docker stands in for memcached only, and only where the package cannot be installed.
  const named = missing.filter((need) => need !== MEMCACHED || findMemcached(env) === undefined);
  return { install: [], missing: named.map(({ name, hint }) => `${name}\n      ${hint}`) };
}

/**
 * Makes sure that all programs of some groups are there: installs them, or throws one error that names all
 * missing ones.
 */
export function provide(groups: readonly string[], say: (line: string) => void): void {
  const { install, missing } = plan(groups, process.env, mayInstall());
  if (missing.length > 0) throw new Error(missingMessage(missing));
  if (install.length > 0) installPackages(install, say);
  const left = plan(groups, process.env, false).missing;
  if (left.length > 0) throw new Error(missingMessage(left));
  if (!groups.includes("tests")) return;
  const memcached = findMemcached();
  if (memcached?.kind === "docker") pullImage(memcached.path, say);
  process.env["PYTHON"] = findPython(); // so that no test searches again
}

/** Finds a Python that can import the three clients: `$PYTHON`, else `python3`, else Debian's own. */
export function findPython(env: Environment = process.env): string | undefined {
  const named = env["PYTHON"];
  const places = named ? [named] : ["python3", "/usr/bin/python3"];
  return places.map((name) => findProgram(name, env)).find((path) =>
    path !== undefined &&
    spawnSync(path, ["-c", `import ${PYTHON_CLIENTS.join(", ")}`], { stdio: "ignore" }).status === 0
  );
}

/** Returns the Python of the tests. Throws an error that says what is missing if there is none. */
export function python(): string {
  const path = findPython();
  if (path === undefined) {
    throw new Error(missingMessage(plan(["tests"], process.env, false).missing));
  }
  return path;
}

function program(name: string, hint: string): Need {
  const isThere = (env: Environment): boolean =>
    findProgram(name, env) !== undefined || findProgram(`/usr/sbin/${name}`) !== undefined;
  return { name, packages: [name], hint, isThere };
}

function runs(program: string, args: readonly string[], env: Environment): boolean {
  const path = findProgram(program, env);
  return path !== undefined && spawnSync(path, args, { stdio: "ignore" }).status === 0;
}

function mayInstall(): boolean {
  return process.getuid?.() === 0 && existsSync("/etc/debian_version") &&
    findProgram("apt-get") !== undefined;
}

function installPackages(packages: readonly string[], say: (line: string) => void): void {
  say(`Installing with apt-get: ${packages.join(", ")}`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  for (const command of [["update"], ["install", "-y", "--no-install-recommends", ...packages]]) {
    const { status } = spawnSync("apt-get", ["-q", ...command], {
      env,
      stdio: ["ignore", "ignore", "inherit"],
    });
    if (status !== 0) say(`apt-get ${command[0]} failed.`);
  }
}

function missingMessage(missing: readonly string[]): string {
  const lines = missing.map((line) => `  - ${line}`);
  return `The tests start programs that are not on this machine:\n${lines.join("\n")}\n` +
    `As root on Debian or Ubuntu this command installs them itself.`;
}
