/** The command `memwire`. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { describe, it } from "node:test";
import { Memcached } from "../../mod.ts";
import { type CliRequest, parseCommandLine, USAGE } from "../../src/testing/cli_options.ts";
import { MemcachedServer } from "../../src/testing/mod.ts";
import { makeAuthority } from "../support/certificates.ts";
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

  it("reads the files of -Y and -Z", { timeout: 30_000 }, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "memwire-cli-"));
    const authority = makeAuthority();
    t.after(() => {
      rmSync(folder, { recursive: true, force: true });
      authority.dispose();
    });
    const users = join(folder, "users");
    writeFileSync(users, "foo:bar\nbaaaz:qu:ux\n");
    const { cert, key } = authority.issue(["IP:127.0.0.1"]);
    const files = `ssl_chain_cert=${cert},ssl_key=${key}`;
    const child = memwire("serve", "-p", "0", "-Y", users, "-Z", "-o", files);
    const address = await addressOf(child);
    const tls = { ca: readFileSync(authority.ca) };
    for (const [username, password] of [["foo", "bar"], ["baaaz", "qu:ux"]] as const) {
      const client = new Memcached(address, { tls, auth: { username, password } });
      await client.set("a", username);
      assert.equal(await client.get("a"), username);
      await client.close();
    }
    const wrong = new Memcached(address, { tls, auth: { username: "foo", password: "qu:ux" } });
    await assert.rejects(wrong.get("a"), { code: "AUTH" });
    await wrong.close();
    const result = ended(child);
    process.kill(child.pid as number, "SIGTERM");
    assert.equal((await result).code, 0);

    writeFileSync(users, "foo\n");
    const { code, err } = await ended(memwire("serve", "-p", "0", "-Y", users));
    assert.equal(code, 1);
    assert.equal(err, "memwire: line 1 of the authentication file is not name:password\n");
    assert.equal((await ended(memwire("serve", "-p", "0", "-Y", join(folder, "no")))).code, 1);
  });

  it("prints an error if it cannot listen", { timeout: 30_000 }, async (t) => {
    const server = await MemcachedServer.start();
    t.after(() => server.stop());
    const port = server.address.split(":")[1] as string;
    const { code, out, err } = await ended(memwire("serve", "-p", port));
    assert.equal(code, 1);
    assert.equal(out, "");
    assert.match(err, /^memwire: .*EADDRINUSE|[Aa]ddress/);
  });

  it("prints its usage", { timeout: 30_000 }, async () => {
    assert.deepEqual(await ended(memwire("--help")), { code: 0, out: USAGE, err: "" });
    const { code, err } = await ended(memwire("server"));
    assert.equal(code, 2);
    assert.equal(err, `memwire: expected the command "serve" or "where", not "server"\n\n${USAGE}`);
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
    ["-d -p 1 serve -h", { kind: "help" }],
    ["serve -p5 -l::1 -m1 -I2k -c 7 -vvMCFX", {
      kind: "serve",
      options: {
        port: 5,
        host: "::1",
        memoryLimit: 2 ** 20,
        maxItemSize: 2048,
        maxConnections: 7,
        outOfMemory: true,
        cas: false,
        flush: false,
        dump: false,
      },
    }],
    ["serve -s m --auth-file=/a -Z -o ssl_chain_cert=/c,modern -o ssl_key=/k,idle_timeout=9", {
      kind: "serve",
      options: {
        path: "m",
        ...serve,
        idleTimeout: 9,
        authFile: "/a",
        tlsFiles: { cert: "/c", key: "/k" },
      },
    }],
    [
      "serve -s m -u root -t 4 -U 0 -v -k -L -r -a 777 -b 99 -f 2 -n 9 -R 1 -W -B auto -o " +
      "hashpower=20,no_lru_maintainer,slab_reassign",
      { kind: "serve", options: { path: "m", ...serve } },
    ],
    ["serve -p 1 -p 2", { kind: "serve", options: { port: 2, host: "127.0.0.1", ...serve } }],
  ];
  for (const [line, request] of cases) {
    it(JSON.stringify(line), () => {
      assert.deepEqual(parseCommandLine(line.split(" ").filter(Boolean)), request);
    });
  }

  const mistakes: [string, RegExp][] = [
    ["start", /^expected the command "serve" or "where", not "start"$/],
    ["serve x", /^expected the command "serve" or "where", not "serve x"$/],
    ["serve --prot 1", /^there is no option --prot$/],
    ["serve -q", /^there is no option -q$/],
    ["serve -p", /^-p needs a value$/],
    ["serve --port", /^--port needs a value$/],
    ["serve --disable-cas=1", /^--disable-cas takes no value$/],
    ["serve -c 0", /^--conn-limit 0 is not a number of connections$/],
    ["serve -c -1", /^--conn-limit -1 is not a number of connections$/],
    ["serve -t 0", /^--threads must be at least 1, not 0$/],
    [
      "serve -B binary",
      /^--protocol must be ascii, not binary: the embedded server speaks no other$/,
    ],
    ["serve -U 11211", /^--udp-port must be 0, not 11211: the embedded server has no UDP$/],
    ["serve -l ::1,127.0.0.1", /^--listen ::1,127.0.0.1 names more than one interface$/],
    ["serve -m 1 -I 600k", /^--max-item-size 600k is more than half of --memory-limit$/],
    ["serve -Z", /^--enable-ssl needs -o ssl_chain_cert=<path>,ssl_key=<path>$/],
    ["serve -o idle_timeout", /^-o idle_timeout needs a value$/],
    ["serve -o idle_timeout=x", /^-o idle_timeout x is not a number of seconds$/],
    ...["A", "d", "S", "i", "V"].map((letter): [string, RegExp] => {
      return [
        `serve -${letter}`,
        RegExp(`\\(-${letter}\\) is not supported by the embedded server$`),
      ];
    }),
    ["serve -D :", /^--delimiter \(-D\) is not supported by the embedded server$/],
    ["serve -P /x", /^--pidfile \(-P\) is not supported/],
    ["serve -e /x", /^--memory-file \(-e\) is not supported/],
    ["serve -o ext_path=/x:1G", /^-o ext_path is not supported by the embedded server$/],
    ["serve -o ssl_verify_mode=2", /^-o ssl_verify_mode is not supported/],
    ["serve -p 65536", /^--port 65536 is not a port$/],
    ["serve -p 1x", /^--port 1x is not a port$/],
    ["serve -m 0", /^--memory-limit 0 is not a number of megabytes$/],
    ["serve -m 1.5", /^--memory-limit 1.5/],
    ["serve -I 1023", /^--max-item-size 1023 is not from 1k to 1024m$/],
    ["serve -I 1025m", /^--max-item-size 1025m/],
    ["serve -I big", /^--max-item-size big/],
    ["serve -s /tmp/m -p 1", /^--unix-socket cannot be combined with --port or --listen$/],
    ["serve -s /tmp/m -l ::1", /^--unix-socket cannot be combined/],
  ];
  for (const [line, message] of mistakes) {
    it(`${JSON.stringify(line)} is a mistake`, () => {
      const request = parseCommandLine(line.split(" "));
      assert.equal(request.kind, "mistake");
      assert.match(request.kind === "mistake" ? request.message : "", message);
    });
  }
});
