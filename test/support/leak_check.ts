/**
 * Loaded before each test file in Node: fails a file whose process is still alive 3 s after its
 * last test, because something that a test has opened was never closed, and says what that is.
 *
 * Only Node waits for open sockets after the last test, so Node is where a leak shows. (Deno checks
 * nothing in node:test, Bun exits.)
 */
import process from "node:process";

/** What keeps a process alive without being a leak: the pipes to the test runner. */
const OWN = new Set(["PipeWrap", "TTYWrap", "CloseReq"]);

// Only in a test file's own process, not in what tests start with the same options: there node:test
// would begin to report on standard output.
if (process.argv[1]?.endsWith(".test.ts")) {
  const { after } = await import("node:test");
  after(() => {
    setTimeout(() => {
      const open = process.getActiveResourcesInfo().filter((kind) => !OWN.has(kind));
      console.error(`
LEAK: the tests of ${process.argv[1]} are over, and 3 s later the process is still kept alive by
  ${open.join(", ") || "something unnamed"}
A client, server or socket was not closed, a call is still pending, or a timer still runs.
`);
      process.exit(1);
    }, 3_000).unref();
  });
}
