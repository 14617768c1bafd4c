/**
 * Makes the output of a test file under Node: its failures in full, the notes of its tests, and the counts
 * `# tests`, `# pass`, `# fail`... It is plain JavaScript, because Node 20 loads reporters without tsx.
 */
import { inspect } from "node:util";

const COUNT = /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) [\d.]+$/;

/** The reporter for `--test-reporter`: it takes events and yields text. */
export default async function* report(events) {
  const parents = [];
  for await (const { type, data } of events) {
    const { name = "", nesting = 0, message = "", details } = data;
    if (type === "test:start") parents[nesting] = name;
    if (type === "test:diagnostic") {
      yield COUNT.test(message) ? `# ${message}\n` : `note: ${message}\n`;
    }
    const error = details?.error;
    // A suite fails because of its tests, which have reported why.
    if (type !== "test:fail" || error?.failureType === "subtestsFailed") continue;
    const title = [...parents.slice(0, nesting), name].join(" > ");
    yield `\nFAILED ${title}\n${indent(inspect(error?.cause ?? error))}\n\n`;
  }
}

function indent(text) {
  return text.replace(/^/gm, "    ");
}
