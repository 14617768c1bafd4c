// Every form of a server's address, and what is not one.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { formatAddress, parseServers, type ServerSpec } from "../../src/address.ts";
import { checkRefused } from "./argument_errors.ts";

/** A TCP server of weight 1 without an id, except for what is given. */
function tcp(host: string, port = 11211, more: Record<string, unknown> = {}): unknown {
  const address = { kind: "tcp", host, port };
  return { address, weight: 1, id: undefined, tls: false, auth: undefined, ...more };
}

function unix(path: string, more: Record<string, unknown> = {}): unknown {
  const address = { kind: "unix", path };
  return { address, weight: 1, id: undefined, tls: false, auth: undefined, ...more };
}

describe("a server is read from", () => {
  const FORMS: ReadonlyArray<readonly [spec: ServerSpec, config: unknown]> = [
    ["localhost", tcp("localhost")],
    ["cache-1.example.com", tcp("cache-1.example.com")],
    ["cache_1", tcp("cache_1")],
    [" 10.0.0.1 ", tcp("10.0.0.1")],
    ["10.0.0.1:1", tcp("10.0.0.1", 1)],
    ["10.0.0.1:65535", tcp("10.0.0.1", 65535)],
    ["::1", tcp("::1")],
    ["2001:db8::1121", tcp("2001:db8::1121")],
    ["::", tcp("::")],
    ["1:2:3:4:5:6:7:8", tcp("1:2:3:4:5:6:7:8")],
    ["1::3:4:5:6:7:8", tcp("1::3:4:5:6:7:8")],
    ["1:2:3:4:5:6:10.0.0.1", tcp("1:2:3:4:5:6:10.0.0.1")],
    ["::ffff:10.0.0.1", tcp("::ffff:10.0.0.1")],
    ["fe80::1%eth0", tcp("fe80::1%eth0")],
    ["[::1]", tcp("::1")],
    ["[::1]:11212", tcp("::1", 11212)],
    ["[FE80::1%eth0]:11212", tcp("FE80::1%eth0", 11212)],
    ["inet6:[::1]:11212", tcp("::1", 11212)],
    ["inet6:[::1]", tcp("::1")],
    ["unix:/run/memcached.sock", unix("/run/memcached.sock")],
    ["unix:relative:path with spaces", unix("relative:path with spaces")],
    ["memcached://localhost", tcp("localhost")],
    ["memcached://localhost:11212/", tcp("localhost", 11212)],
    ["memcached://[::1]:11212", tcp("::1", 11212)],
    ["memcacheds://localhost:11212", tcp("localhost", 11212, { tls: true })],
    [
      "memcached://user:pass@localhost:11212",
      tcp("localhost", 11212, {
        auth: { username: "user", password: "pass" },
      }),
    ],
    [
      "memcacheds://us%40er:p%3Aa%2Fs:s@[::1]",
      tcp("::1", 11211, {
        tls: true,
        auth: { username: "us@er", password: "p:a/s:s" },
      }),
    ],
    [["10.0.0.1:11212", 3], tcp("10.0.0.1", 11212, { weight: 3 })],
    [["unix:/tmp/s", 65535], unix("/tmp/s", { weight: 65535 })],
    [
      ["memcacheds://a:b@host", 2],
      tcp("host", 11211, {
        weight: 2,
        tls: true,
        auth: { username: "a", password: "b" },
      }),
    ],
    [{ host: "10.0.0.1" }, tcp("10.0.0.1")],
    [
      { host: "10.0.0.1", port: 11212, weight: 2, id: "one" },
      tcp("10.0.0.1", 11212, {
        weight: 2,
        id: "one",
      }),
    ],
    [{ host: "::1", port: 1 }, tcp("::1", 1)],
    [{ host: "[::1]" }, tcp("::1")],
    [{ path: "/tmp/s" }, unix("/tmp/s")],
    [{ path: "/tmp/s", weight: 7, id: "two" }, unix("/tmp/s", { weight: 7, id: "two" })],
  ];

  for (const [spec, config] of FORMS) {
    test(JSON.stringify(spec), () => assert.deepEqual(parseServers([spec]), [config]));
  }

  test("a string that names several, and a list of all kinds", () => {
    const expected = [tcp("a"), tcp("::1", 11212), unix("/tmp/s")];
    assert.deepEqual(parseServers("a,[::1]:11212,unix:/tmp/s"), expected);
    for (
      const list of [
        "a, [::1]:11212 , unix:/tmp/s",
        "a [::1]:11212 unix:/tmp/s",
        "a,[::1]:11212,unix:/tmp/s,",
        "\ta:11211\n[::1]:11212\r\nunix:/tmp/s , \n",
      ]
    ) assert.deepEqual(parseServers(list), expected, JSON.stringify(list));
    assert.deepEqual(
      parseServers(["a", ["[::1]:11212", 1], { path: "/tmp/s" }]),
      expected,
    );
  });
});

describe("what is not a server is refused, with its place in the list:", () => {
  const MALFORMED: ReadonlyArray<readonly [spec: unknown, rule: RegExp]> = [
    ["", /malformed/],
    ["a b", /malformed/],
    ["host:", /malformed/],
    [":11211", /malformed/],
    ["host:port", /malformed/],
    ["host:1x", /malformed/],
    ["host:-1", /malformed/],
    ["http://host", /malformed/],
    ["memcached://", /malformed/],
    ["memcached://host/0", /malformed/],
    ["memcached://host?x=1", /malformed/],
    ["memcached:host", /malformed/],
    ["host/path", /malformed/],
    ["[::1", /malformed/],
    ["::1]", /malformed/],
    ["[::1]11211", /malformed/],
    ["[::1]:", /malformed/],
    ["[localhost]:", /malformed/],
    ["ho\nst", /malformed/],
    ["g::1", /malformed/],
    ["1:2:3", /malformed/],
    ["1:2:3:4:5:6:7:8:9", /malformed/],
    ["1:2:3:4::5:6:7:8", /malformed/],
    ["1::2::3", /malformed/],
    [":::", /malformed/],
    [":1:2:3:4:5:6:7", /malformed/],
    ["1:2:3:4:5:6:7:", /malformed/],
    ["::12345", /malformed/],
    ["::10.0.0", /malformed/],
    ["::10.0.0.1:1", /malformed/],
    ["10.0.0.1::", /malformed/],
    ["fe80::1%", /malformed/],
    ["unix:", /needs a path/],
    ["unix:/a\0b", /needs a path/],
    ["memcached://user@host", /user:password/],
    ["memcached://u%:p@host", /malformed % sequence/],
    ["memcached://u%20v:p@host", /auth\.username/],
    ["memcached://:p@host", /auth\.username/],
    ["memcached://u:@host", /auth\.password/],
    [null, /string, a pair or an object/],
    [undefined, /string, a pair or an object/],
    [11211, /string, a pair or an object/],
    [[], /address must be a string/],
    [[1, 1], /address must be a string/],
    [{}, /needs a host or a path/],
    [{ host: "" }, /malformed/],
    [{ host: "a:11211" }, /malformed/],
    [{ host: "a b" }, /malformed/],
    [{ host: "a", path: "/tmp/s" }, /both a path and a host/],
    [{ port: 1, path: "/tmp/s" }, /both a path and a host/],
    [{ path: "" }, /needs a path/],
    [{ host: "a", id: "" }, /id is a string/],
    [{ host: "a", id: 1 }, /id is a string/],
  ];
  const OUT_OF_RANGE: ReadonlyArray<readonly [spec: unknown, rule: RegExp]> = [
    ["host:0", /port/],
    ["host:65536", /port/],
    ["[::1]:99999999999999999999", /port/],
    [{ host: "a", port: 1.5 }, /port/],
    [{ host: "a", port: "11211" }, /port/],
    [{ host: "a", port: NaN }, /port/],
    [["a", 0], /weight/],
    [["a", 65536], /weight/],
    [["a", -1], /weight/],
    [["a", 1.5], /weight/],
    [["a"], /weight/],
    [{ host: "a", weight: 0 }, /weight/],
    [{ host: "a", weight: "2" }, /weight/],
  ];

  for (const [spec, rule] of MALFORMED) {
    test(JSON.stringify(spec) ?? "undefined", () => {
      const whole = new RegExp(`^server 1.*${rule.source}|^${rule.source}`);
      checkRefused(() => parseServers(["localhost", spec as ServerSpec]), TypeError, whole);
    });
  }

  for (const [spec, rule] of OUT_OF_RANGE) {
    test(JSON.stringify(spec), () => {
      const whole = new RegExp(
        `^server 1.*: a ${rule.source} is a whole number from 1 to 65535, not `,
      );
      checkRefused(() => parseServers(["localhost", spec as ServerSpec]), RangeError, whole);
    });
  }

  test("an empty list, and what is not a list", () => {
    checkRefused(() => parseServers([]), TypeError, /at least one server.*empty array/);
    for (const nothing of ["", " ", "\n"]) {
      checkRefused(() => parseServers(nothing), TypeError, /at least one server.*empty string/);
    }
    // A variable that is not set. Without that server the keys would move.
    for (const [list, at] of [["a,,b", 1], [",a", 0], ["a,b,,", 2], [",", 0]] as const) {
      checkRefused(() => parseServers(list), TypeError, new RegExp(`^server ${at} is empty`));
    }
    for (const servers of [null, {}, 1, new Set(["a"])]) {
      checkRefused(() => parseServers(servers as unknown as string), TypeError, /array/);
    }
  });

  test("credentials stay out of the message", () => {
    for (
      const spec of [
        "memcached://me:secret@ho;st",
        "memcached://me:sec%ret@host",
        "me:secret@host",
        "memcached://me:secret",
        "memcached://me:secret@a,b:c",
        "memcached://me:secr,sec@host",
        ["memcached://me:secr", "sec@host"],
        [["memcached://me:secret@host/0", 1]],
      ] as (string | ServerSpec[])[]
    ) checkRefused(() => parseServers(spec), TypeError, /^server [01].*not shown/, "sec");
  });

  test("the message quotes the address as it was written", () => {
    const shows = (spec: string | readonly ServerSpec[], words: RegExp): void =>
      checkRefused(() => parseServers(spec), TypeError, words);
    shows("a, b;c:11211", /^server 1 "b;c:11211" is malformed: expected host, host:port/);
    shows(["a b"], /^server 0 "a b" is malformed: .* one server each/);
    shows(["a,b"], /^server 0 "a,b" is malformed: .* one server each/);
    shows([["a:port", 2]], /^server 0 "a:port" is malformed/);
    shows("http://host:80", /^server 0 "http:\/\/host:80" is malformed/);
    shows(["x".repeat(300) + ";"], /^server 0 "x{270}" is malformed/);
    checkRefused(() => parseServers("a,host:99999"), RangeError, /^server 1 "host:99999": a port/);
  });

  test("unknown names in a server", () => {
    const refused: ReadonlyArray<readonly [spec: unknown, words: RegExp]> = [
      [{ hostname: "a" }, /^server 0: unknown option "hostname", did you mean "host"\?$/],
      [{ host: "a", wieght: 2 }, /^server 0: unknown option "wieght", did you mean "weight"\?$/],
      [{ host: "a", name: "b" }, /^server 0: unknown option "name", did you mean "id"\?$/],
      [{ socket: "/tmp/s" }, /^server 0: unknown option "socket", did you mean "path"\?$/],
      [new Map([["host", "a"]]), /^server 0 must be an object of options, not a Map$/],
      [["a", 1, 2], /^server 0 "a": a pair has only an address and a weight$/],
    ];
    for (const [spec, words] of refused) {
      checkRefused(() => parseServers([spec as ServerSpec]), TypeError, words);
    }
  });

  test("the list as MemCachier's MEMCACHIER_SERVERS has it", () => {
    const list = "mc1.dev.ec2.memcachier.com:11211,mc2.dev.ec2.memcachier.com:11211";
    assert.deepEqual(parseServers(list), [
      tcp("mc1.dev.ec2.memcachier.com"),
      tcp("mc2.dev.ec2.memcachier.com"),
    ]);
    const auth = { username: "u", password: "p" };
    assert.deepEqual(parseServers("memcached://u:p@a:1, memcacheds://b"), [
      tcp("a", 1, { auth }),
      tcp("b", 11211, { tls: true }),
    ]);
  });
});

test("an address is written host:port, [v6]:port or unix:/path", () => {
  const written = (spec: ServerSpec): string[] =>
    parseServers([spec]).map(({ address }) => formatAddress(address));
  assert.deepEqual(written("localhost"), ["localhost:11211"]);
  assert.deepEqual(written("::1"), ["[::1]:11211"]);
  assert.deepEqual(written("inet6:[::1]:5"), ["[::1]:5"]);
  assert.deepEqual(written("unix:/tmp/s"), ["unix:/tmp/s"]);
  assert.deepEqual(written("memcacheds://me:secret@host:5"), ["host:5"]);
  for (const address of ["localhost:11211", "[::1]:5", "unix:/tmp/s"]) {
    assert.deepEqual(written(address), [address]);
  }
});
