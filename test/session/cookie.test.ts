import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { readCookie, sessionCookie } from "../../mod.ts";

const REFUSED = { name: "TypeError", code: "ERR_INVALID_ARGUMENT" };

describe("readCookie", () => {
  test("returns the named cookie, __Host-session by default", () => {
    const header = "theme=dark; __Host-session=abc; sid=def";
    assert.equal(readCookie(header), "abc");
    assert.equal(readCookie(header, "sid"), "def");
    assert.equal(readCookie(header, "theme"), "dark");
    assert.equal(readCookie(header, "ses"), undefined);
    assert.equal(readCookie(header, "session"), undefined);
  });

  test("no header, no cookie", () => {
    for (const header of [undefined, null, "", "a", ";", "=", "__Host-session"]) {
      assert.equal(readCookie(header), undefined);
    }
  });

  test("returns values as they are: empty, quoted, with equals signs", () => {
    assert.equal(readCookie("a=", "a"), "");
    assert.equal(readCookie('a="b c"', "a"), "b c");
    assert.equal(readCookie('a="', "a"), '"');
    assert.equal(readCookie("a=b=c==", "a"), "b=c==");
    assert.equal(readCookie("a=%41", "a"), "%41");
    assert.equal(readCookie("a=1;b=2", "b"), "2");
  });

  test("of two cookies with one name the first counts, which has the longer path, unless it is empty", () => {
    assert.equal(readCookie("a=1; a=2", "a"), "1");
    assert.equal(readCookie("sid=; sid=good", "sid"), "good");
    assert.equal(readCookie('sid=""; sid=; sid=good; sid=late', "sid"), "good");
    assert.equal(readCookie("sid=; sid=", "sid"), "");
  });

  test("strips only spaces and tabs around a name", () => {
    // Browsers accept `\u2000__Host-x` from anybody: a server that trims it loses what __Host- promises.
    assert.equal(readCookie(" \t a \t=\t 1 ", "a"), "1");
    for (
      const space of ["\u00a0", "\u0085", "\u2000", "\u3000", "\ufeff", "\v", "\f", "\n", "\r"]
    ) {
      assert.equal(readCookie(`${space}__Host-session=evil; __Host-session=good`), "good");
      assert.equal(readCookie(`__Host-session${space}=evil`), undefined);
    }
  });
});

describe("sessionCookie", () => {
  test("has all safe attributes by default", () => {
    assert.equal(
      sessionCookie("abc"),
      "__Host-session=abc; Path=/; HttpOnly; Secure; SameSite=Lax",
    );
  });

  test("undefined clears the cookie", () => {
    assert.equal(
      sessionCookie(undefined),
      "__Host-session=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
    );
    assert.match(sessionCookie(undefined, { maxAge: 60 }), /; Max-Age=0;/);
  });

  test("every option", () => {
    const cookie = sessionCookie("abc", {
      name: "sid",
      maxAge: 3600,
      secure: false,
      sameSite: "Strict",
      domain: "example.org",
      path: "/app",
    });
    assert.equal(
      cookie,
      "sid=abc; Path=/app; Domain=example.org; Max-Age=3600; HttpOnly; SameSite=Strict",
    );
    assert.match(sessionCookie("a", { sameSite: "None" }), /; Secure; SameSite=None$/);
    assert.equal(
      sessionCookie("a", { partitioned: true, sameSite: "None" }),
      "__Host-session=a; Path=/; HttpOnly; Secure; SameSite=None; Partitioned",
    );
    assert.equal(sessionCookie("a", { partitioned: false }), sessionCookie("a"));
    assert.equal(sessionCookie("a", { domain: undefined, path: undefined }), sessionCookie("a"));
  });

  test("maxAge: whole seconds, rounded up, never negative", () => {
    assert.match(sessionCookie("a", { maxAge: 0.2 }), /; Max-Age=1;/);
    assert.match(sessionCookie("a", { maxAge: -5 }), /; Max-Age=0;/);
    for (const maxAge of [NaN, Infinity, 1e300, Date.now()]) { // the last is in milliseconds
      assert.throws(() => sessionCookie("a", { maxAge }), {
        name: "RangeError",
        code: "ERR_INVALID_ARGUMENT",
      });
    }
  });

  test("what browsers refuse is refused here", () => {
    assert.throws(() => sessionCookie("a", { secure: false }), REFUSED);
    assert.throws(() => sessionCookie("a", { domain: "example.org" }), REFUSED);
    assert.throws(() => sessionCookie("a", { path: "/app" }), REFUSED);
    assert.throws(() => sessionCookie("a", { name: "__HOST-x", path: "/app" }), REFUSED);
    assert.throws(() => sessionCookie("a", { name: "__Secure-x", secure: false }), REFUSED);
    assert.throws(() => sessionCookie("a", { name: "__secure-x", secure: false }), REFUSED);
    assert.throws(
      () => sessionCookie("a", { name: "x", sameSite: "None", secure: false }),
      REFUSED,
    );
    assert.match(sessionCookie("a", { name: "__Secure-x", path: "/app" }), /Secure/);
    assert.throws(
      () => sessionCookie("a", { name: "x", partitioned: true, secure: false }),
      { ...REFUSED, message: /^partitioned needs secure$/ },
    );
    for (const path of ["app", "", "*", " /"]) {
      const message = path === "" ? /^path must not be empty$/ : /^path must begin with "\/", not /;
      assert.throws(() => sessionCookie("a", { name: "x", path }), { ...REFUSED, message });
    }
    assert.throws(
      () => sessionCookie("a", { name: "x", domain: "" }),
      { ...REFUSED, message: /^domain must not be empty$/ },
    );
    assert.throws(() => sessionCookie("a", { secure: "yes" as never }), REFUSED);
    assert.throws(() => sessionCookie("a", { partitioned: 1 as never }), REFUSED);
    assert.throws(() => sessionCookie(undefined, { maxAge: NaN }), { name: "RangeError" });
    assert.throws(
      () => sessionCookie("a", { expires: new Date() } as never),
      { ...REFUSED, message: 'unknown option "expires", did you mean "maxAge"?' },
    );
  });

  test("no text breaks out of its attribute", () => {
    for (const bad of ["a b", "a;b", "a,b", 'a"b', "a\\b", "a\r\nb", "a\0", "é", "\x7f"]) {
      assert.throws(() => sessionCookie(bad), REFUSED);
      assert.throws(() => sessionCookie("x", { name: bad }), REFUSED);
    }
    for (const bad of ["/a;b", "/\r\nSet-Cookie: x=y", "/\x7f"]) {
      assert.throws(() => sessionCookie("x", { name: "n", path: bad }), REFUSED);
      assert.throws(() => sessionCookie("x", { name: "n", domain: bad }), REFUSED);
    }
    assert.throws(() => sessionCookie("x", { name: "" }), REFUSED);
    assert.throws(() => sessionCookie("x", { sameSite: "lax" as "Lax" }), REFUSED);
  });

  test("an id of a session always fits, and comes back", () => {
    const id = "A-z_09.";
    assert.equal(readCookie(sessionCookie(id).split(";")[0]), id);
  });
});
