/**
 * What `npm test` prints under Node: a line for each file, failures in full, and at the end the
 * names of what failed and the counts, `# tests`, `# pass`, `# fail`... Plain JavaScript, because
 * Node 20 loads reporters without tsx.
 */
import { relative } from "node:path";
import process from "node:process";
import { inspect } from "node:util";

const COUNT = /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) [\d.]+$/;

/** The reporter, as `--test-reporter` wants it: events in, text out. */
export default async function* report(events) {
  const counts = [];
  const failed = [];
  const parents = [];
  let file;
  let tests = 0;
  let failures = 0;
  let duration = 0;
  const summary = () =>
    `${failures > 0 ? "FAIL" : "ok  "} ${file}  ${tests} tests, ${Math.round(duration)} ms\n`;

  for await (const { type, data } of events) {
    const { name = "", nesting = 0, message = "", details } = data;
    if (type === "test:start") parents[nesting] = name;
    else if (type === "test:stdout" || type === "test:stderr") yield message;
    else if (type === "test:diagnostic" && COUNT.test(message)) counts.push(`# ${message}\n`);
    else if (type === "test:diagnostic") yield `     ${message}\n`;
    if (type !== "test:pass" && type !== "test:fail") continue;

    const from = relative(process.cwd(), data.file ?? name);
    if (from !== file) {
      if (file !== undefined) yield summary();
      [file, tests, failures, duration] = [from, 0, 0, 0];
    }
    const isFile = relative(process.cwd(), name) === from; // a process that failed after its tests
    if (details?.type !== "suite" && !isFile) tests++;
    if (nesting === 0) duration += details?.duration_ms ?? 0;
    if (type === "test:pass") continue;
    failures++;
    const error = details?.error;
    if (error?.failureType === "subtestsFailed") continue; // they have said why
    const title = isFile ? "the file as a whole" : [...parents.slice(0, nesting), name].join(" > ");
    failed.push(`  ${from}: ${title}\n`);
    yield `\nFAILED ${title}\n${indent(inspect(error?.cause ?? error))}\n\n`;
  }
  if (file !== undefined) yield summary();
  if (failed.length > 0) yield `\nFailed:\n${failed.join("")}`;
  yield `\n${counts.join("")}`;
}

function indent(text) {
  return text.replace(/^/gm, "    ");
}
