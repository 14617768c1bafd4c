/**
 * Loaded before each test file in Node. It fails a file whose process is still alive 3 s after its last test,
 * because a test has not closed something that it opened, and says what that is.
 *
 * Only Node waits for open sockets after the last test, so a leak shows only there. (Deno does not check for
 * leaks in node:test, Bun exits.)
 */
import process from "node:process";

/** Things that keep a process alive and are not leaks: the pipes to the test runner. */
const OWN = new Set(["PipeWrap", "TTYWrap", "CloseReq"]);

// Only in a test file's own process. In programs that tests start with the same options, node:test would begin
// to report on standard output.
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
