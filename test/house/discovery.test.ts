import assert from "node:assert/strict";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { describe, test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { findMemcached, givenServers } from "../support/find_memcached.ts";
import { startMemcached } from "../support/memcached.ts";
import { GROUP_NAMES, plan } from "../support/programs.ts";

const FAKE_DOCKER = fileURLToPath(new URL("fake_docker.sh", import.meta.url));

function folderWith(t: TestContext, programs: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), "memwire-path-"));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const [name, target] of Object.entries(programs)) symlinkSync(target, join(folder, name));
  return folder;
}

describe("memcached is found", () => {
  test("by $MEMCACHED first, as a path or a name", (t) => {
    const PATH = folderWith(t, { memcached: "/bin/sh", mine: "/bin/sh" });
    const mine = { kind: "program", path: join(PATH, "mine") };
    assert.deepEqual(findMemcached({ PATH, MEMCACHED: "mine" }), mine);
    assert.deepEqual(findMemcached({ PATH, MEMCACHED: mine.path }), mine);
    assert.deepEqual(findMemcached({ PATH, MEMCACHED: "" })?.path, join(PATH, "memcached"));
  });

  test("never in place of a wrong $MEMCACHED", (t) => {
    const PATH = folderWith(t, { memcached: "/bin/sh" });
    const text = join(PATH, "text");
    writeFileSync(text, "");
    for (const wrong of ["/nowhere/memcached", "no-such-program", PATH, text]) {
      assert.throws(
        () => findMemcached({ PATH, MEMCACHED: wrong }),
        /\$MEMCACHED is .* not a program/,
      );
    }
  });

  test("on PATH before Docker, in Docker if its engine runs, else not", (t) => {
    const both = folderWith(t, { memcached: "/bin/sh", docker: FAKE_DOCKER });
    assert.equal(findMemcached({ PATH: both })?.kind, "program");
    const docker = folderWith(t, { docker: FAKE_DOCKER });
    assert.deepEqual(findMemcached({ PATH: docker }), {
      kind: "docker",
      path: join(docker, "docker"),
    });
    const dead = folderWith(t, { docker: "/bin/false" });
    assert.equal(findMemcached({ PATH: dead }), undefined);
    assert.equal(findMemcached({ PATH: "" }), undefined);
    assert.equal(findMemcached({}), undefined);
  });

  test("as servers that already run", () => {
    assert.deepEqual(givenServers({ MEMCACHED_SERVERS: "a:1, unix:/b," }), ["a:1", "unix:/b"]);
    assert.deepEqual(givenServers({}), []);
  });
});

describe("a program that the tests start", () => {
  const nothing = { PATH: "", PYTHON: "/nowhere/python3" };

  test("is installed in one go where that is possible", () => {
    const { install, missing } = plan(["tests"], nothing, true);
    const clients = ["python3-memcache", "python3-pymemcache", "python3-pylibmc"];
    for (const name of ["memcached", ...clients]) assert.ok(install.includes(name), name);
    assert.deepEqual(missing, []);
    assert.deepEqual(plan(["tests"], process.env, true), { install: [], missing: [] });
  });

  test("is named in one message elsewhere, with a way to get each", () => {
    const { install, missing } = plan(["tests"], nothing, false);
    assert.deepEqual(install, []);
    assert.match(missing.join("\n"), /^memcached\n[^]*python3 with python-memcached, pymemcache/m);
    for (const line of missing) assert.match(line, /^.+\n +\S/, "a name, then a hint");
  });

  test("Docker stands in for memcached only where the package cannot be installed", (t) => {
    const docker = { ...nothing, PATH: folderWith(t, { docker: FAKE_DOCKER }) };
    assert.ok(plan(["tests"], docker, true).install.includes("memcached"));
    const { missing } = plan(["tests"], docker, false);
    assert.ok(!missing.some((line) => line.startsWith("memcached")));
    assert.ok(missing.some((line) => line.startsWith("python3")));
  });

  test("can be asked for by the name of a group", () => {
    assert.ok(GROUP_NAMES.includes("chromium"));
    assert.deepEqual(plan(["chromium"], nothing, true).install, ["chromium"]);
    assert.throws(() => plan(["chrome"], nothing, true), /unknown group "chrome".*chromium/);
  });
});

test("a server in a container lives, pauses, dies and comes back as any other", async (t) => {
  const program = findMemcached();
  assert.ok(program?.kind === "program", "this test needs a memcached besides Docker");
  const variables = {
    FAKE_MEMCACHED: program.path,
    FAKE_DOCKER: folderWith(t, {}),
  };
  Object.assign(process.env, variables);
  t.after(() => {
    for (const name of Object.keys(variables)) delete process.env[name];
  });
  const docker = { kind: "docker", path: FAKE_DOCKER } as const;
  await using server = await startMemcached({ args: ["-I", "2m"] }, docker);
  assert.match(await server.ask("stats settings"), /STAT item_size_max 2097152/);
  server.pause();
  const version = server.ask("version");
  const first = await Promise.race([version, new Promise((resolve) => setTimeout(resolve, 50))]);
  assert.equal(first, undefined);
  server.resume();
  assert.match(await version, /^VERSION/);
  await server.kill();
  await assert.rejects(server.ask("version"));
  await server.restart();
  assert.match(await server.ask("version"), /^VERSION/);
});
