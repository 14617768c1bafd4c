/** The command `memwire`. */
import assert from "node:assert/strict";
import process from "node:process";
import { describe, it } from "node:test";
import { type CliRequest, parseCommandLine, USAGE } from "../../src/testing/cli_options.ts";
import { MemcachedServer } from "../../src/testing/mod.ts";
import { addressOf, ended, memwire } from "./command.ts";
import { Control, dial, play } from "./support.ts";

describe("memwire serve", () => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    it(`serves until ${signal}, and ends without a complaint`, { timeout: 30_000 }, async () => {
      const child = memwire("serve", "--port", "0", "--memory-limit", "8", "-I", "2k");
      const address = await addressOf(child);
      assert.equal(
        await play(address, "set a 0 0 1|x|get a"),
        "STORED\r\nVALUE a 0 1\r\nx\r\nEND\r\n",
      );
      const control = await Control.open(address);
      const settings = await control.stats("settings");
      assert.equal(settings.get("maxbytes"), String(8 * 2 ** 20));
      assert.equal(settings.get("item_size_max"), "2048");
      const result = ended(child);
      process.kill(child.pid as number, signal);
      assert.deepEqual(await result, { code: 0, out: "", err: "" });
      control.close();
      await assert.rejects(dial(address), { code: "ECONNREFUSED" });
    });
  }

  it("says so if it cannot listen", { timeout: 30_000 }, async (t) => {
    const server = await MemcachedServer.start();
    t.after(() => server.stop());
    const port = server.address.split(":")[1] as string;
    const { code, out, err } = await ended(memwire("serve", "-p", port));
    assert.equal(code, 1);
    assert.equal(out, "");
    assert.match(err, /^memwire: .*EADDRINUSE|[Aa]ddress/);
  });

  it("explains itself", { timeout: 30_000 }, async () => {
    assert.deepEqual(await ended(memwire("--help")), { code: 0, out: USAGE, err: "" });
    const { code, err } = await ended(memwire("server"));
    assert.equal(code, 2);
    assert.equal(err, `memwire: expected the command "serve", not "server"\n\n${USAGE}`);
  });
});

describe("a command line", () => {
  const serve = { memoryLimit: 64 * 2 ** 20, maxItemSize: 2 ** 20 };
  const cases: [string, CliRequest][] = [
    ["", { kind: "help" }],
    ["-h", { kind: "help" }],
    ["serve --help", { kind: "help" }],
    ["serve", { kind: "serve", options: { port: 11211, host: "127.0.0.1", ...serve } }],
    ["serve -p 5 -l ::1", { kind: "serve", options: { port: 5, host: "::1", ...serve } }],
    ["serve -p 65535", { kind: "serve", options: { port: 65535, host: "127.0.0.1", ...serve } }],
    ["serve --port=0", { kind: "serve", options: { port: 0, host: "127.0.0.1", ...serve } }],
    ["serve -s /tmp/m", { kind: "serve", options: { path: "/tmp/m", ...serve } }],
    ["serve -s m -m 1 -I 3K", {
      kind: "serve",
      options: { path: "m", memoryLimit: 2 ** 20, maxItemSize: 3072 },
    }],
    ["serve -s m -I 1024", {
      kind: "serve",
      options: { path: "m", memoryLimit: 64 * 2 ** 20, maxItemSize: 1024 },
    }],
  ];
  for (const [line, request] of cases) {
    it(JSON.stringify(line), () => {
      assert.deepEqual(parseCommandLine(line.split(" ").filter(Boolean)), request);
    });
  }

  const mistakes: [string, RegExp][] = [
    ["start", /^expected the command "serve", not "start"$/],
    ["serve x", /^expected the command "serve", not "serve x"$/],
    ["serve --prot 1", /--prot/],
    ["serve -p", /port/],
    ["serve -p 65536", /^--port 65536 is no port$/],
    ["serve -p 1x", /^--port 1x is no port$/],
    ["serve -m 0", /^--memory-limit 0 is no number of megabytes$/],
    ["serve -m 1.5", /^--memory-limit 1.5/],
    ["serve -I 1023", /^--max-item-size 1023 is not from 1k to 1024m$/],
    ["serve -I 1025m", /^--max-item-size 1025m/],
    ["serve -I big", /^--max-item-size big/],
    ["serve -s /tmp/m -p 1", /^--unix-socket goes without --port and --listen$/],
    ["serve -s /tmp/m -l ::1", /^--unix-socket goes without/],
  ];
  for (const [line, message] of mistakes) {
    it(`${JSON.stringify(line)} is a mistake`, () => {
      const request = parseCommandLine(line.split(" "));
      assert.equal(request.kind, "mistake");
      assert.match(request.kind === "mistake" ? request.message : "", message);
    });
  }
});
