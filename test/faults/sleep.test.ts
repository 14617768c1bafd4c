/** A process that slept while its server closed the connection notices that before it writes anything. */
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { askChild } from "../support/child.ts";
import { startScriptedServer } from "../support/scripted_server.ts";
import { together } from "../support/together.ts";
import { answer, DIALECTS } from "./rig.ts";

const SLEEPER = new URL("./sleeper.ts", import.meta.url);

const cases = together(Object.fromEntries(
  DIALECTS.flatMap((dialect) =>
    ["set", "add", "increment"].map((operation) => [
      `${operation}, ${dialect}: done over a new connection, not ambiguous`,
      async () => {
        const written: string[] = [];
        await using server = await startScriptedServer(async (peer) => {
          if (peer.index === 0) {
            const command = await peer.next();
            await peer.write(answer(command));
            const pid = Number(new TextDecoder().decode(command.data));
            await sleep(300);
            process.kill(pid, "SIGSTOP");
            await sleep(200);
            peer.end();
            await sleep(3_500);
            process.kill(pid, "SIGCONT");
          }
          for (;;) {
            const command = await peer.next();
            written.push(`${peer.index} ${command.key}`);
            await peer.write(answer(command));
          }
        }, { dialect });
        const how = await askChild<{ error: string; ambiguous: boolean }>(SLEEPER, {
          args: [server.address, dialect, operation],
        });
        assert.equal(how.error, "");
        assert.deepEqual(written, ["1 k"], "once, and not into the closed connection");
      },
    ])
  ),
));

for (const [name, run] of cases) test(name, run);
