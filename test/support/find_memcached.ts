/**
 * Finds a memcached to run. Tried in this order:
 *
 * 1. `$MEMCACHED`: path or name of the program. Set, but not to a program, is an error.
 * 2. `memcached` on PATH.
 * 3. A running Docker: servers run in containers of the official image, on loopback.
 *
 * Nothing is installed here: programs.ts does that before the tests start.
 *
 * `$MEMCACHED_SERVERS` is apart from these: it names servers that already run (a container, say),
 * separated by commas. A test that only talks to a server takes it from there if it is set
 * (`borrowMemcached` in memcached.ts). A test that kills servers, fills them to the brim or needs
 * options of its own cannot do that to somebody's server: it starts its own from 1 to 3 either way.
 */
import { spawnSync } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import process from "node:process";

/** The image that Docker runs. */
export const DOCKER_IMAGE = "memcached:1.6";

/** What servers are started from. */
export interface MemcachedSource {
  readonly kind: "program" | "docker";
  /** Path of memcached, or of Docker's command. */
  readonly path: string;
}

/** The environment that is searched; tests pass one of their own. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The ways to get a memcached, for people. */
export const WAYS_TO_GET_ONE: string = `Any one of these will do:
  - install it:  apt-get install memcached  |  brew install memcached  |  apk add memcached
  - MEMCACHED=/path/to/memcached, if it is not on PATH
  - start Docker: the official image ${DOCKER_IMAGE} is then used`;

/** A program's full path: itself if it has a slash, else looked up on PATH. */
export function findProgram(name: string, env: Environment = process.env): string | undefined {
  const places = name.includes("/")
    ? [name]
    : (env["PATH"] ?? "").split(delimiter).filter(Boolean).map((folder) => join(folder, name));
  return places.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return statSync(path).isFile();
    } catch {
      return false;
    }
  });
}

/** The program or Docker, in the order above; undefined if there is neither. */
export function findMemcached(env: Environment = process.env): MemcachedSource | undefined {
  const named = env["MEMCACHED"];
  if (named) {
    const path = findProgram(named, env);
    if (path === undefined) throw new Error(`$MEMCACHED is ${named}, which is not a program`);
    return { kind: "program", path };
  }
  const path = findProgram("memcached", env);
  if (path !== undefined) return { kind: "program", path };
  const docker = findProgram("docker", env);
  if (docker === undefined) return undefined;
  const engine = spawnSync(docker, ["version", "--format", "{{.Server.Version}}"], {
    timeout: 10_000,
  });
  return engine.status === 0 ? { kind: "docker", path: docker } : undefined;
}

/** The addresses in `$MEMCACHED_SERVERS`; none if it is not set. */
export function givenServers(env: Environment = process.env): string[] {
  return (env["MEMCACHED_SERVERS"] ?? "").split(",").map((part) => part.trim()).filter(Boolean);
}

/** Pulls the image, unless it is there. */
export function pullImage(docker: string, say: (line: string) => void): void {
  if (spawnSync(docker, ["image", "inspect", DOCKER_IMAGE]).status === 0) return;
  say(`Pulling the image ${DOCKER_IMAGE}.`);
  const pulled = spawnSync(docker, ["pull", "-q", DOCKER_IMAGE], { encoding: "utf8" });
  if (pulled.status !== 0) throw new Error(`docker pull ${DOCKER_IMAGE}: ${pulled.stderr}`);
}
