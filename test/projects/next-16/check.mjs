import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

const next = "node_modules/next/dist/bin/next";
process.env.NEXT_TELEMETRY_DISABLED = "1";
execFileSync(process.execPath, [next, "build"], { stdio: "inherit" });

const port = await new Promise((resolve) => {
  const probe = createServer().listen(0, "127.0.0.1", () => {
    const { port } = probe.address();
    probe.close(() => resolve(port));
  });
});
const server = spawn(process.execPath, [next, "start", "-H", "127.0.0.1", "-p", `${port}`], {
  stdio: "inherit",
});
process.on("exit", () => server.kill("SIGKILL"));

/** Asks until the server answers. */
async function ask(path, cookie = "", options = {}) {
  for (let tries = 0;; tries++) {
    try {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, {
        ...options,
        headers: { cookie, ...options.headers },
      });
      const body = await response.text();
      assert.equal(response.status, 200, body);
      return { body, cookie: response.headers.get("set-cookie")?.split(";")[0] };
    } catch (error) {
      if (error.name !== "TypeError" || tries === 200) throw error;
      await sleep(50);
    }
  }
}

const { body: first, cookie } = await ask("/visits");
assert.equal(first, "1");
assert.equal((await ask("/visits", cookie)).body, "2");
assert.match(
  (await ask("/", cookie)).body,
  /2 visits/,
  "the page opens the route handler's session",
);
assert.match((await ask("/")).body, /no visits/);
const { body: page } = await ask("/", cookie);
const form = new FormData();
for (const [, name] of page.matchAll(/<input type="hidden" name="([^"]+)"/g)) form.set(name, "");
assert.ok([...form.keys()].length > 0, "the form names its action");
const left = await ask("/", cookie, { method: "POST", body: form });
assert.match(left.cookie ?? "", /^__Host-session=$/, "the server action ends the session");
assert.match((await ask("/", cookie)).body, /no visits/);
const counts = JSON.parse((await ask("/every")).body);
assert.ok(counts.length > 2 && counts.every((count) => count > 0), `sub-paths: ${counts}`);
process.exit();
