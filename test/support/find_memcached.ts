/**
 * Finds a memcached to run. Tried in this order:
 *
 * 1. `$MEMCACHED`: the path or name of the program. It is an error if that is not a program.
 * 2. `memcached` on PATH.
 * 3. A running Docker: servers run in containers of the official image, on loopback.
 *
 * Nothing is installed here: programs.ts does that before the tests start.
 *
 * `$MEMCACHED_SERVERS` is something else: it names servers that already run (a container, for example),
 * separated by commas. A test that only talks to a server uses those if it is set (`borrowMemcached` in
 * memcached.ts). A test that kills servers, fills them or needs its own options must not do that to somebody's
 * server, so it always starts its own, from 1 to 3.
 */
import { spawnSync } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import process from "node:process";

/** The image that Docker runs. */
export const DOCKER_IMAGE = "memcached:1.6";

/** The program or image from which servers are started. */
export interface MemcachedSource {
  readonly kind: "program" | "docker";
  /** The path of memcached, or of Docker's command. */
  readonly path: string;
}

/** The environment variables that are read; tests pass their own. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Tells people how to get a memcached. */
export const WAYS_TO_GET_ONE: string = `Any one of these will do:
  - install it:  apt-get install memcached  |  brew install memcached  |  apk add memcached
  - MEMCACHED=/path/to/memcached, if it is not on PATH
  - start Docker: the official image ${DOCKER_IMAGE} is then used`;

/** Returns a program's path: the name itself if it has a slash, otherwise the one found on PATH. */
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

/** Finds the program or Docker, in the order above; undefined if there is neither. */
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

/** Returns the addresses in `$MEMCACHED_SERVERS`; none if it is not set. */
export function givenServers(env: Environment = process.env): string[] {
  return (env["MEMCACHED_SERVERS"] ?? "").split(",").map((part) => part.trim()).filter(Boolean);
}

/** Pulls the image, unless it is there already. */
export function pullImage(docker: string, say: (line: string) => void): void {
  if (spawnSync(docker, ["image", "inspect", DOCKER_IMAGE]).status === 0) return;
  say(`Pulling the image ${DOCKER_IMAGE}.`);
  const pulled = spawnSync(docker, ["pull", "-q", DOCKER_IMAGE], { encoding: "utf8" });
  if (pulled.status !== 0) throw new Error(`docker pull ${DOCKER_IMAGE}: ${pulled.stderr}`);
}
