import assert from "node:assert/strict";
import { test } from "node:test";
import { borrowMemcached } from "../support/memcached.ts";
import { findRuntimes, startProgram, thisRuntime } from "./processes.ts";
import { someId } from "./stores.ts";

test("every runtime can read a session that another one has saved", async (t) => {
  const runtimes = findRuntimes();
  t.diagnostic(`runtimes: ${runtimes.map(({ path }) => path).join(", ")}`);
  const servers = await borrowMemcached();
  t.after(() => servers.stop());
  const [server = ""] = servers.addresses;
  const programs = runtimes.map((runtime) => startProgram(runtime, "traveller.ts", server));
  t.after(() => Promise.all(programs.map((program) => program.end())));
  for (const secret of [undefined, "a secret, sixteen bytes at least"]) {
    const namespace = `travel${someId()}:`;
    const written = await Promise.all(
      programs.map((program, writer) =>
        program.ask<string>({ write: namespace, id: `${writer}`, secret })
      ),
    );
    assert.equal(new Set(written).size, 1, "the same fields are the same bytes in all runtimes");
    assert.match(written[0] as string, secret === undefined ? /^768 ff0f/ : /^sealed$/);
    for (const [reader, program] of programs.entries()) {
      for (const writer of programs.keys()) {
        const what = `written by ${runtimes[writer]?.path}, read by ${runtimes[reader]?.path}`;
        assert.equal(
          await program.ask({ read: namespace, id: `${writer}`, secret }),
          "right",
          what,
        );
      }
    }
  }
});

test("if runtimes are named, none of the three kinds may be missing", () => {
  const { path, kind } = thisRuntime();
  for (const named of [path, "node", `${path}:no-such-runtime`]) {
    assert.throws(() => findRuntimes({ MEMWIRE_RUNTIMES: named }), /MEMWIRE_RUNTIMES names/);
  }
  const found = findRuntimes({});
  assert.deepEqual(found[0], { path, kind });
  const kinds = new Set(found.map((runtime) => runtime.kind));
  if (kinds.size < 3) return;
  const all = found.map((runtime) => runtime.path).join(":");
  assert.deepEqual(findRuntimes({ MEMWIRE_RUNTIMES: all }), found);
});

test("a session that was never saved is absent", async (t) => {
  const servers = await borrowMemcached();
  t.after(() => servers.stop());
  const program = startProgram(thisRuntime(), "traveller.ts", servers.addresses[0] ?? "");
  t.after(() => program.end());
  assert.match(await program.ask({ read: `none${someId()}:`, id: "0" }), /nothing is there/);
});
