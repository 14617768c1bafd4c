/** What becomes of a response that is held back when somebody else answers, or has patched it. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { connect } from "node:net";
import { Readable } from "node:stream";
import { setImmediate } from "node:timers";
import { pipeline } from "node:stream/promises";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Session, SessionStore } from "../../mod.ts";
import { type StoreOutcome, withNodeSession } from "../../src/adapters/node.ts";
import { startGate } from "../session/gate.ts";
import { freePort, type MemcachedServer, startMemcached } from "../support/memcached.ts";
import { type Listener, serve } from "./error_page.ts";
import { addCookie, compress } from "./response_patches.ts";
import type { Shop } from "./visitor.ts";
import { PATIENT } from "../support/patient.ts";
import { until } from "../support/until.ts";

type Handler = (
  request: IncomingMessage,
  response: ServerResponse,
  session: Session<Shop>,
  save: () => Promise<StoreOutcome>,
) => void | Promise<void>;

let memcached: MemcachedServer;
let store: SessionStore<Shop>;
/** A store whose server is down. */
let down: SessionStore<Shop>;
before(async () => {
  memcached = await startMemcached();
  store = new SessionStore({ servers: memcached.address, ...PATIENT });
  down = new SessionStore({ servers: `127.0.0.1:${await freePort()}` });
});
after(async () => {
  await store.close();
  await down.close();
  await memcached.stop();
});

describe("a session that has moved keeps its cookie, whoever answers", () => {
  const MOVES: Readonly<Record<string, Handler>> = {
    "after save": async (_request, _response, _session, save) => {
      await save();
    },
    "while a save is in flight": (_request, _response, _session, save) => {
      save().catch(() => undefined);
    },
    "while the first write is held": (_request, response) => {
      response.setHeader("X-Own", "1");
      response.write("half");
    },
  };
  const ANSWERS: Readonly<Record<string, { fail: () => unknown; status: number; page?: true }>> = {
    "503": { fail: () => down.get("x"), status: 503 },
    onUnavailable: { fail: () => down.get("x"), status: 500, page: true },
    "the framework's error page": {
      fail: () => Promise.reject(new Error("the handler has failed")),
      status: 500,
    },
  };

  for (const [when, move] of Object.entries(MOVES)) {
    for (const [what, { fail, status, page }] of Object.entries(ANSWERS)) {
      test(`${when}: ${what}`, async (t) => {
        const listener = withNodeSession<Shop, IncomingMessage, ServerResponse>(
          store,
          async (request, response, session, save) => {
            if (request.url === "/login") {
              session.regenerate();
              session.set("user", "ada");
              await move(request, response, session, save);
              await fail();
            }
            session.set("note", "before");
            response.end();
          },
          page && {
            onUnavailable: (_error, _request, response) => {
              response.writeHead(500, ["Set-Cookie", "own=1"]).end();
            },
          },
        );
        const visitor = await serve(t, listener);
        await visitor.visit("/");
        const { cookie } = visitor;
        const answer = await visitor.visit("/login");
        assert.equal(answer.status, status);
        assert.equal(answer.headers.get("x-own"), null);
        assert.notEqual(visitor.cookie, cookie);
        assert.equal(answer.headers.get("vary"), "Cookie");
        const id = visitor.cookie.split("=")[1] as string;
        assert.deepEqual(await store.get(id), { note: "before", user: "ada" });
      });
    }
  }
});

describe("a handler that awaits its own output, when the session cannot be stored", () => {
  const WAYS: Readonly<Record<string, (response: ServerResponse) => Promise<unknown>>> = {
    "a pipeline": (response) => pipeline(Readable.from(["half", "half"]), response),
    "the finish": (response) => once(response.end("body"), "finish"),
    "the callback of end": (response) =>
      new Promise<void>((resolve) => response.end("body", () => resolve())),
    "the callback of write": (response) =>
      new Promise<void>((resolve, reject) =>
        response.write("half", (error) => error ? reject(error) : resolve())
      ),
  };

  for (const [what, wait] of Object.entries(WAYS)) {
    for (const unreachable of [true, false]) {
      test(`${what}: ${unreachable ? "503" : "the rejection"} at once`, async (t) => {
        let over: (() => void) | undefined;
        const returned = new Promise<void>((resolve) => over = resolve);
        const ends: unknown[] = [];
        const listener = withNodeSession<Shop, IncomingMessage, ServerResponse>(
          unreachable ? down : store,
          async (request, response, session) => {
            if (request.url === "/next") return void response.end("next");
            session.set("note", (unreachable ? "x" : () => 1) as never);
            const { write } = response; // as middleware captures it
            await wait(response).catch(() => undefined);
            for (const late of [write, response.write]) assert.equal(late("late"), false);
            await new Promise<void>((resolve) => response.end("late", () => resolve()));
            ends.push(response.writableEnded);
            over?.();
            throw new Error("the handler has failed too");
          },
        );
        const visitor = await serve(t, listener);
        const { status, text } = await visitor.visit("/");
        assert.equal(status, unreachable ? 503 : 500);
        assert.match(text, unreachable ? /^Service unavailable.*\n$/ : /^[^]*function[^]*$/);
        assert.doesNotMatch(text, /half|body|late/);
        await returned;
        assert.deepEqual(ends, [true]);
        assert.equal((await visitor.visit("/next")).text, "next");
      });
    }
  }

  test("a handler that ignores back-pressure cannot add to the answer", async (t) => {
    const listener = withNodeSession<Shop, IncomingMessage, ServerResponse>(
      down,
      async (_request, response, session) => {
        session.set("note", "x");
        response.write("0");
        for (let n = 1; n < 40; n++) {
          await sleep(1);
          response.write(String(n));
        }
        response.end();
      },
    );
    const visitor = await serve(t, listener);
    const { status, text } = await visitor.visit("/");
    assert.deepEqual([status, text], [503, "Service unavailable. Try again in a moment.\n"]);
    await sleep(60);
  });
});

describe("a second answer while the first is held", () => {
  const SECONDS: Readonly<Record<string, (response: ServerResponse) => void>> = {
    "another head": (response) => void response.setHeader("Content-Length", "3"),
    "another status": (response) => response.statusCode = 500,
    "another body": (response) => void response.end("the second, which is longer"),
    "one more write": (response) => void response.write("more"),
  };
  for (const [what, answer] of Object.entries(SECONDS)) {
    test(`${what}: the first one is sent as it was`, async (t) => {
      const listener = withNodeSession<Shop, IncomingMessage, ServerResponse>(
        store,
        (_request, response, session) => {
          session.set("note", "x");
          response.setHeader("Content-Length", "5").end("first");
          assert.deepEqual([response.headersSent, response.writableEnded], [true, true]);
          answer(response);
        },
      );
      const visitor = await serve(t, listener);
      for (let n = 0; n < 2; n++) {
        const { status, text, headers } = await visitor.visit("/");
        assert.deepEqual([status, text, headers.get("content-length")], [200, "first", "5"]);
      }
    });
  }

  test("a piece that is held, and an error page: the page alone, with its own head", async (t) => {
    const listener = withNodeSession<Shop, IncomingMessage, ServerResponse>(
      store,
      (_request, response, session) => {
        session.set("note", "x");
        response.write("partial");
        assert.equal(response.headersSent, true);
        assert.throws(() => response.setHeader("X-Own", "1"), { code: "ERR_HTTP_HEADERS_SENT" });
        throw new Error("the template broke");
      },
    );
    const { status, text } = await (await serve(t, listener)).visit("/");
    assert.equal(status, 500);
    assert.doesNotMatch(text, /partial/);
  });

  test("a handler that goes on writing while onUnavailable takes its time adds nothing", async (t) => {
    const listener = withNodeSession<Shop, IncomingMessage, ServerResponse>(
      down,
      async (_request, response, session) => {
        session.set("note", "x");
        for (let n = 0; n < 30; n++) {
          response.write(`secret ${n}\n`);
          await sleep(2);
        }
        response.end();
      },
      {
        onUnavailable: async (_error, _request, response) => {
          await sleep(20);
          response.writeHead(503, { "X-Own": "1" }).write("sorry");
          await sleep(20);
          response.end("\n");
        },
      },
    );
    const { status, text, headers } = await (await serve(t, listener)).visit("/");
    assert.deepEqual([status, text, headers.get("x-own")], [503, "sorry\n", "1"]);
    await sleep(60);
  });

  test("a visitor who goes while onUnavailable takes its time: dropped callbacks are called", async (t) => {
    let told: (error: unknown) => void;
    const dropped = new Promise<unknown>((resolve) => told = resolve);
    let asked: () => void;
    const unavailable = new Promise<void>((resolve) => asked = resolve);
    const listener = withNodeSession<Shop, IncomingMessage, ServerResponse>(
      down,
      (_request, response, session) => {
        session.set("note", "x");
        response.end("body", ((error: unknown) => told(error)) as () => void);
      },
      {
        onUnavailable: async (_error, _request, response) => {
          asked();
          await once(response, "close");
        },
      },
    );
    const server = createServer((request, response) => void listener(request, response));
    t.after(() => server.close());
    await once(server.listen(0, "127.0.0.1"), "listening");
    const { port } = server.address() as { port: number };
    const client = connect(port, "127.0.0.1");
    client.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await unavailable;
    client.destroy();
    assert.equal((await dropped as { code: string }).code, "SERVER_DOWN");
  });

  test("a visitor who has gone before the handler starts: the listener resolves", async () => {
    const server = createServer();
    await once(server.listen(0, "127.0.0.1"), "listening");
    const { port } = server.address() as { port: number };
    const listener = withNodeSession<Shop, IncomingMessage, ServerResponse>(store, () => {});
    const client = connect(
      port,
      "127.0.0.1",
      () => client.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
    );
    const [request, response] = await once(server, "request") as [IncomingMessage, ServerResponse];
    client.destroy();
    await once(response, "close");
    await listener(request, response);
    server.close();
  });
});

describe("other middleware that patches the response", () => {
  const PIECE = "x".repeat(60_000);
  const PIECES = Array.from({ length: 40 }, () => PIECE);
  const OUTPUTS: Readonly<Record<string, (response: ServerResponse) => unknown>> = {
    "one end": (response) => response.end(PIECE),
    "writeHead and end": (response) => response.writeHead(200, { "X-Own": "1" }).end(PIECE),
    "two writes": (response) => {
      response.write(PIECE);
      response.write(PIECE);
      response.end();
    },
    "writes in turns": async (response) => {
      for (let n = 0; n < 3; n++) {
        response.write(PIECE);
        await sleep(5);
      }
      response.end();
    },
    "a large pipe": (response) => Readable.from(PIECES).pipe(response),
    "a writer that waits for drain": async (response) => {
      for (const piece of PIECES) if (!response.write(piece)) await once(response, "drain");
      response.end();
    },
    "small writes that wait for drain": async (response) => {
      for (let n = 0; n < 100; n++) {
        if (!response.write(PIECE.slice(0, 600))) await once(response, "drain");
      }
      response.end();
    },
    "flushHeaders first": (response) => {
      response.flushHeaders();
      response.end(PIECE);
    },
  };
  const LENGTHS: Readonly<Record<string, number>> = {
    "two writes": 2,
    "writes in turns": 3,
    "a large pipe": 40,
    "a writer that waits for drain": 40,
  };
  const PATCHES: Readonly<Record<string, (response: ServerResponse) => void>> = {
    compression: compress,
    "on-headers and a cookie": (response) => addCookie(response, "flash=1"),
    "compression and a cookie": (response) => {
      compress(response);
      addCookie(response, "flash=1");
    },
  };

  for (const [what, patch] of Object.entries(PATCHES)) {
    for (const [output, write] of Object.entries(OUTPUTS)) {
      for (const inside of [true, false]) {
        test(`${what}, ${inside ? "inside" : "outside"}: ${output}`, async (t) => {
          const listener = withNodeSession<Shop, IncomingMessage, ServerResponse>(
            store,
            async (_request, response, session) => {
              session.set("note", "x");
              if (inside) patch(response);
              await write(response);
            },
          );
          const visitor = await serve(t, (request, response) => {
            if (!inside) patch(response);
            return listener(request, response);
          });
          const { status, text, headers, setCookie } = await visitor.visit("/");
          assert.equal(status, 200);
          assert.equal(text.length, PIECE.length * (LENGTHS[output] ?? 1));
          assert.equal(headers.get("content-encoding"), what.startsWith("comp") ? "gzip" : null);
          assert.equal(headers.get("x-own"), output.startsWith("writeHead") ? "1" : null);
          const cookies = setCookie.map((cookie) => cookie.split("=")[0]).sort();
          assert.deepEqual(cookies, [
            "__Host-session",
            ...(what.endsWith("cookie") ? ["flash"] : []),
          ]);
        });
      }
    }
  }

  test("compression that has ended the dropped answer does not stop another answer", async (t) => {
    const listener = withNodeSession<Shop, IncomingMessage, ServerResponse>(
      down,
      (_request, response, session) => {
        session.set("note", "x");
        compress(response);
        response.end("body");
      },
      {
        onUnavailable: async (_error, _request, response) => {
          response.statusCode = 503;
          for (const piece of PIECES) if (!response.write(piece)) await once(response, "drain");
          response.end();
        },
      },
    );
    const { status, headers, text } = await (await serve(t, listener)).visit("/");
    assert.equal(status, 503);
    assert.equal(headers.get("content-encoding"), null);
    assert.equal(text.length, 40 * PIECE.length);
  });

  test("nor if the response refused the answer", async (t) => {
    const listener = withNodeSession<Shop, IncomingMessage, ServerResponse>(
      store,
      (_request, response) => {
        compress(response);
        response.end("body");
      },
    );
    const { status, headers, text } = await (await serve(t, async (request, response) => {
      const writeHead = response.writeHead.bind(response);
      let heads = 0;
      response.writeHead = (status: number) => {
        if (heads++ === 0) throw new Error("this head is refused");
        return writeHead(status);
      };
      await listener(request, response);
    })).visit("/");
    assert.equal(status, 500);
    assert.equal(headers.get("content-encoding"), null);
    assert.equal(text, "this head is refused");
  });
});

describe("a response that is held behaves as one of node:http", () => {
  /** What a handler sees, and what its visitor gets, with a session or without. */
  type Told = (...words: unknown[]) => void;
  const HANDLERS: Readonly<
    Record<string, (response: ServerResponse, tell: Told) => void | Promise<void>>
  > = {
    "the status after writeHead": (response, tell) => {
      response.writeHead(404, "Nope");
      tell(response.statusCode, response.statusMessage);
      response.end("x");
      tell(response.statusCode);
    },
    "a status text that is set too late": (response) => {
      response.statusCode = 201;
      response.statusMessage = "Yes";
      response.write("x");
      response.statusMessage = "No";
      response.end();
    },
    "a patched writeHead is called once": (response, tell) => {
      const writeHead = response.writeHead.bind(response) as (status: number) => ServerResponse;
      response.writeHead = (status: number) => {
        tell("head");
        response.setHeader("X-Heads", Number(response.getHeader("X-Heads") ?? 0) + 1);
        return writeHead(status);
      };
      response.write("a");
      response.end("b");
    },
    "a patched writeHead that takes itself off and adds to its arguments": (response) => {
      const { writeHead } = response;
      response.writeHead = ((status: number, headers?: object) => {
        response.writeHead = writeHead;
        return response.writeHead(status === 200 ? 203 : status, { ...headers, "X-Added": "1" });
      }) as never;
      response.end("x");
    },
    "a response that is destroyed after its end is sent": (response) => {
      response.end("whole");
      response.destroy();
    },
    "an error page that destroys the socket after the end": async (response) => {
      response.end("whole");
      await new Promise((resolve) => setImmediate(resolve));
      response.socket?.destroy();
    },
    "no drain after the end": async (response, tell) => {
      response.on("drain", () => tell("drain"));
      response.write("a");
      response.end("b");
      await sleep(30);
    },
  };

  for (const [what, handler] of Object.entries(HANDLERS)) {
    test(what, async (t) => {
      const outcome = async (hasSession: boolean): Promise<unknown> => {
        const told: unknown[] = [];
        const tell: Told = (...words) => told.push(...words);
        const listener: Listener = hasSession
          ? withNodeSession<Shop, IncomingMessage, ServerResponse>(
            store,
            (_request, response, session) => {
              session.set("note", "x");
              return handler(response, tell);
            },
          )
          : async (_request, response) => await handler(response, tell);
        const { status, headers, text } = await (await serve(t, listener)).visit("/");
        await sleep(30);
        const names = ["x-heads", "x-added", "x-late"];
        return { told, status, text, headers: names.map((name) => headers.get(name)) };
      };
      assert.deepEqual(await outcome(true), await outcome(false));
    });
  }

  // Bun's own response closes the connection after some of these.
  test("errors are thrown at once", async (t) => {
    const told: string[] = [];
    const listener = withNodeSession<Shop, IncomingMessage, ServerResponse>(
      store,
      (_request, response, session) => {
        session.set("note", "x");
        const fails = (call: () => unknown): void => {
          try {
            call();
            told.push("no error");
          } catch {
            told.push("an error"); // its code depends on the runtime
          }
        };
        fails(() => response.writeHead(42));
        fails(() => response.write(42 as never));
        fails(() => response.write(null as never));
        fails(() => response.end({} as never));
        response.writeHead(200);
        fails(() => response.writeHead(404));
        fails(() => response.setHeader("X-Late", "1"));
        response.end("x");
      },
    );
    const { status, text } = await (await serve(t, listener)).visit("/");
    assert.deepEqual([told, status, text], [Array(6).fill("an error"), 200, "x"]);
  });

  test("a visitor who leaves before the store fails: callbacks are called, and the handler goes on", async () => {
    await using gate = await startGate(memcached.address);
    await using slow = new SessionStore<Shop>({ servers: gate.address, timeout: 600 });
    const ends: string[] = [];
    const listener = withNodeSession<Shop, IncomingMessage, ServerResponse>(
      slow,
      async (_request, response, session) => {
        session.set("note", "x");
        gate.always(() => sleep(1_500));
        await new Promise<void>((resolve) => response.write("piece", () => resolve()));
        ends.push("handler");
      },
    );
    const server = createServer((request, response) => {
      listener(request, response).then(() => ends.push("listener"), () => ends.push("rejected"));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    const socket = connect(port, "127.0.0.1");
    socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    await sleep(200);
    socket.destroy();
    await until(() => ends.length === 2);
    assert.equal(ends[0], "handler");
    server.close();
    server.closeAllConnections();
  });
});

describe("two sessions of one response", () => {
  interface Prefs {
    theme?: string;
  }

  /** Nests the two, and returns the handler that writes them both. */
  function nest(outer: SessionStore<Shop>, inner: SessionStore<Prefs>): Listener {
    return withNodeSession<Shop, IncomingMessage, ServerResponse>(
      outer,
      (request, response, session) =>
        withNodeSession<Prefs, IncomingMessage, ServerResponse>(
          inner,
          (_request, response, prefs) => {
            session.set("note", "x");
            prefs.set("theme", "dark");
            response.writeHead(200, { "Set-Cookie": "own=1" });
            response.write("bo");
            response.end("dy");
          },
          { cookie: { name: "prefs" } },
        )(request, response),
    );
  }

  test("both are stored, and both set their cookies", async (t) => {
    const inner = new SessionStore<Prefs>({ servers: memcached.address, namespace: "prefs:" });
    t.after(() => inner.close());
    const { text, setCookie } = await (await serve(t, nest(store, inner))).visit("/");
    assert.equal(text, "body");
    const cookies = new Map(
      setCookie.map((one) => one.split(";")[0]?.split("=") as [string, string]),
    );
    assert.deepEqual([...cookies.keys()].sort(), ["__Host-session", "own", "prefs"]);
    assert.deepEqual(await store.get(cookies.get("__Host-session") as string), { note: "x" });
    assert.deepEqual(await inner.get(cookies.get("prefs") as string), { theme: "dark" });
  });

  test("the inner one keeps its cookie if the outer one cannot be stored", async (t) => {
    const inner = new SessionStore<Prefs>({ servers: memcached.address, namespace: "prefs:" });
    t.after(() => inner.close());
    const { status, setCookie } = await (await serve(t, nest(down, inner))).visit("/");
    assert.equal(status, 503);
    assert.deepEqual(setCookie.map((cookie) => cookie.split("=")[0]), ["prefs"]);
  });
});
