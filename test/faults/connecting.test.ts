/** Faults before the first command: each is a ServerDownError with its reason, or an AuthError. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import {
  AuthError,
  Memcached,
  type MemcachedOptions,
  ServerDownError,
  TimeoutError,
} from "../../mod.ts";
import { connectionEvents, serverEvents } from "../../src/diagnostics.ts";
import type { ConnectionMessage, ServerMessage } from "../../src/messages.ts";
import { freePort, startMemcached } from "../support/memcached.ts";
import {
  type Peer,
  type Script,
  type ScriptedServer,
  startScriptedServer,
} from "../support/scripted_server.ts";
import { together } from "../support/together.ts";
import { until } from "../support/until.ts";
import { answer, behave, outcome, outcomeAtOnce, valueOf } from "./rig.ts";
import { PATIENT } from "../support/patient.ts";

/** A server whose script gets the handshake too. Its second connection behaves. */
function wild(script: Script): Promise<ScriptedServer> {
  return startScriptedServer(async (peer) => {
    if (peer.index === 0) return await script(peer);
    for (;;) {
      const command = await peer.next();
      if (command.line === "mn") await peer.write("MN\r\n");
      else await peer.write(answer(command));
    }
  }, { dialect: "none" });
}

/** Asserts that all calls are refused with the reason `why`, and that the server is used after a probe. */
async function assertDownThenUp(server: ScriptedServer, why: RegExp): Promise<void> {
  await using client = new Memcached(server.address, { connectTimeout: 400, timeout: 5_000 });
  const waiting = await Promise.all([
    outcome(client.get("a")),
    outcome(client.set("b", "v")),
    outcome(client.increment("c")),
  ]);
  for (const { error } of waiting) {
    assert.ok(error instanceof ServerDownError, String(error));
    assert.match(error.message, why);
    assert.equal(error.server?.address, server.address);
    assert.equal(error.ambiguous, false, "nothing was sent");
  }
  const { error } = await outcomeAtOnce(client.get("a"));
  assert.ok(error instanceof ServerDownError);
  await until(() => server.connections === 2);
  await until(async () => (await outcome(client.get("a"))).value === valueOf("a"));
}

const BAD_STARTS: Readonly<Record<string, [script: Script, why: RegExp]>> = {
  "a server that accepts and never answers": [() => {}, /not connected within 400 ms/],
  "a server that dribbles its version past the deadline": [
    async (peer) => {
      await peer.next();
      await peer.write("VERSION 1.6.18\r\n", { chunk: 1, every: 60 });
    },
    /not connected within 400 ms/,
  ],
  "FIN at once": [(peer) => peer.end(), /is down: it closed the connection/],
  "RST at once": [(peer) => peer.reset(), /is down: (it closed the connection|ECONNRESET)/],
  "FIN instead of a version": [closeAfter(0), /is down: it closed the connection/],
  "FIN in the middle of a version": [closeAfter(9), /is down: it closed the connection/],
  "ERROR Too many open connections, unasked, and FIN": [
    async (peer) => {
      await peer.write("ERROR Too many open connections\r\n");
      peer.end();
    },
    /is down: the server refused the connection: ERROR Too many open connections/,
  ],
  "words, unasked": [
    (peer) => peer.write("220 mail.example ESMTP\r\n"),
    /is down: it does not answer like a memcached server$/,
  ],
  "an unexpected second version after the one that was asked for": [
    async (peer) => {
      await peer.next();
      await peer.write("VERSION 1.4.0\r\nVERSION 1.4.0\r\n");
    },
    /unexpected/,
  ],
  // SERVER_ERROR is different: a proxy says it about one of several servers behind it.
  "CLIENT_ERROR instead of a version": [
    async (peer) => {
      await peer.next();
      await peer.write("CLIENT_ERROR no such command\r\n");
    },
    /refused the connection: CLIENT_ERROR no such command/,
  ],
  "a value in answer to mn": [
    async (peer) => {
      await peer.next();
      await peer.write("VERSION 1.6.18\r\n");
      await peer.next();
      await peer.write("VALUE a 0 1\r\n1\r\nEND\r\n");
    },
    /unexpected/,
  ],
  "no answer to mn": [
    async (peer) => {
      await peer.next();
      await peer.write("VERSION 1.6.18\r\n");
    },
    /not connected within 400 ms/,
  ],
};

function closeAfter(bytes: number): Script {
  return async (peer) => {
    await peer.next();
    await peer.write("VERSION 1.6.18\r\n".slice(0, bytes));
    peer.end();
  };
}

/** The ways in which a server may say that it does not speak meta. None of them is a failure. */
const NO_META: Readonly<Record<string, (peer: Peer) => void | Promise<void>>> = {
  "ERROR": (peer) => peer.write("ERROR\r\n"),
  "CLIENT_ERROR": (peer) => peer.write("CLIENT_ERROR unknown command\r\n"),
  "FIN": (peer) => peer.end(),
  "RST": (peer) => peer.reset(),
};

/** Returns the errors of calls to an address that does not work. */
async function refusals(address: string, options: MemcachedOptions = {}): Promise<unknown[]> {
  await using client = new Memcached(address, {
    timeout: 10_000,
    connectTimeout: 8_000,
    ...options,
  });
  const calls = [client.get("a"), client.set("b", "v"), client.getAndTouch("c", 60)];
  const waited = await Promise.all(calls.map(outcome));
  waited.push(await outcomeAtOnce(client.get("a")));
  return waited.map(({ error }) => error);
}

const cases = together({
  ...Object.fromEntries(
    Object.entries(BAD_STARTS).map(([name, [script, why]]) => [name, async () => {
      await using server = await wild(script);
      await assertDownThenUp(server, why);
    }]),
  ),

  ...Object.fromEntries(
    Object.entries(NO_META).map(([name, refuse]) => [
      `${name} in answer to mn: classic from then on, and no failure`,
      async () => {
        await using server = await startScriptedServer(async (peer) => {
          for (;;) {
            const command = await peer.next();
            assert.doesNotMatch(command.name, /^m[gsda]$/);
            if (command.line === "mn") await refuse(peer);
            else await peer.write(answer(command));
          }
        }, { dialect: "none" });
        const events: (ConnectionMessage | ServerMessage)[] = [];
        const listen = (message: unknown): void => {
          const event = message as ConnectionMessage;
          if (event.server.address === server.address) events.push(event);
        };
        connectionEvents.subscribe(listen);
        serverEvents.subscribe(listen);
        try {
          await using client = new Memcached(server.address, PATIENT);
          const calls = [client.get("a"), client.get("b"), client.set("c", "v")];
          assert.deepEqual(await Promise.all(calls), [valueOf("a"), valueOf("b"), undefined]);
          const closed = name === "FIN" || name === "RST";
          assert.equal(server.connections, closed ? 2 : 1);
          assert.deepEqual(events.filter((event) => "state" in event).map(stateOf), ["up"]);
          const ready = events.find((event) => "event" in event && event.event === "ready");
          assert.equal((ready as ConnectionMessage).dialect, "classic");
        } finally {
          connectionEvents.unsubscribe(listen);
          serverEvents.unsubscribe(listen);
        }
      },
    ]),
  ),

  "servers that are not asked for meta: older ones, and those whose version is not memcached's":
    async () => {
      for (const version of ["1.6.17", "1.5.22", "1.4.39_beta", "mcrouter 41.0", "unknown"]) {
        await using server = await startScriptedServer(behave, { dialect: "closing", version });
        await using client = new Memcached(server.address, PATIENT);
        assert.equal(await client.get("a"), valueOf("a"));
        const peer = server.peers[0] as Peer;
        assert.equal(Buffer.from(peer.received).toString(), "version\r\nget a\r\n", version);
      }
    },

  "a refused connection": async () => {
    const address = `127.0.0.1:${await freePort()}`;
    for (const error of await refusals(address)) {
      assert.ok(error instanceof ServerDownError, String(error));
      assert.equal(error.message, `${address} is down: ECONNREFUSED`);
      assert.equal((error.cause as { code?: string }).code, "ECONNREFUSED");
    }
  },

  "a unix socket that is not there": async () => {
    for (const error of await refusals("unix:/tmp/memwire-nobody.sock")) {
      assert.ok(error instanceof ServerDownError, String(error));
      assert.match(
        error.message,
        /^unix:\/tmp\/memwire-nobody\.sock is down: (ENOENT|ECONNREFUSED)$/,
      );
    }
  },

  "a name that does not exist": async () => {
    for (const error of await refusals("cache.invalid:11211")) {
      assert.ok(error instanceof ServerDownError, String(error));
      assert.match(
        error.message,
        /^cache\.invalid:11211 is down: its name .* \((ENOTFOUND|EAI_AGAIN)\)$/,
      );
      assert.ok(error.cause instanceof Error);
    }
  },

  "an address that swallows everything is given up after connectTimeout": async () => {
    await using server = await startScriptedServer((peer) => peer.pause(), { dialect: "none" });
    await using client = new Memcached(server.address, { connectTimeout: 200, timeout: 20_000 });
    const { error, ms } = await outcome(client.get("a"));
    assert.ok(error instanceof ServerDownError);
    assert.ok(error.cause instanceof TimeoutError);
    assert.ok(ms >= 199 && ms < 10_000, `${ms} ms`);
  },

  "a connectTimeout of any number of milliseconds": async () => {
    await using server = await startMemcached();
    for (const connectTimeout of [20_001, 19_999.5, 20_000]) {
      await using client = new Memcached(server.address, { ...PATIENT, connectTimeout });
      await client.set("k", connectTimeout);
      assert.equal(await client.get("k"), connectTimeout);
      assert.equal((await client.stats()).size, 1);
    }
  },

  "wrong credentials, no credentials, and credentials that are not needed": async () => {
    const auth = { username: "app", password: "secret-17" };
    await using server = await startMemcached({ auth });
    for (
      const wrong of [{ ...auth, password: "other-18" }, { ...auth, username: "else" }, undefined]
    ) {
      for (
        const error of await refusals(server.address, wrong === undefined ? {} : { auth: wrong })
      ) {
        assert.ok(error instanceof AuthError, String(error));
        assert.equal(error.server?.address, server.address);
        assert.doesNotMatch(`${error.stack} ${String(error.cause)}`, /secret-17|other-18/);
      }
    }
    await using client = new Memcached(server.address, { auth });
    await client.set("k", "v");
    assert.equal(await client.get("k"), "v");
    await using open = await startMemcached();
    await using other = new Memcached(open.address, { auth });
    await other.set("k", "v");
  },

  "credentials are sent alone, and a server that needs none does not keep them": async () => {
    const auth = { username: "app", password: "secret-17" };
    await using server = await startScriptedServer(async (peer) => {
      const first = await peer.next();
      assert.match(
        first.line,
        /^set memwire:auth:[0-9a-f-]+ 0 (-1|2592001) 13$/,
        "in the past: gone at once",
      );
      assert.equal(Buffer.from(first.data ?? []).toString(), "app secret-17");
      assert.equal(
        peer.received.length,
        first.line.length + 2 + 13 + 2,
        "nothing was sent after them",
      );
      await peer.write("STORED\r\n");
      for (;;) await peer.write(answer(await peer.next()));
    }, { dialect: "none" });
    await using client = new Memcached(server.address, { auth, protocol: "classic" });
    assert.equal(await client.get("k"), valueOf("k"));
  },

  "more connections than the server accepts": async () => {
    await using server = await startMemcached({ args: ["-c", "20"] });
    const clients = Array.from({ length: 24 }, () => new Memcached(server.address, PATIENT));
    try {
      const ends = await Promise.all(clients.map((client) => outcome(client.set("k", "v"))));
      const errors = ends.map(({ error }) => error).filter((error) => error !== undefined);
      assert.ok(errors.length > 0 && errors.length < clients.length, `${errors.length} refused`);
      for (const error of errors) assert.ok(error instanceof ServerDownError, String(error));
      const left = clients.find((_, i) => ends[i]?.error !== undefined) as Memcached;
      // The other connections close and leave room for it.
      await Promise.all(clients.filter((client) => client !== left).map((one) => one.close()));
      await until(async () => (await outcome(left.get("k"))).value === "v");
    } finally {
      await Promise.all(clients.map((client) => client.close()));
    }
  },
});

for (const [name, run] of cases) test(name, run);

function stateOf(event: ConnectionMessage | ServerMessage): string {
  return "state" in event ? event.state : event.event;
}
