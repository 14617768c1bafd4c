/**
 * Another client in a process of its own. Each line that it reads is a step, with fields separated by tabs:
 * `set` or `get`, a mode of the client, a key, and for `set` a type and the value's text or bytes as base64.
 * It answers each step with a line: `stored`, or a type and base64, or `error` and its message as base64.
 */
import { Buffer } from "node:buffer";
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** A value on its way: its type in the other language, and its text or bytes. */
export type Other = readonly [type: string, data: string | Uint8Array];

/** A client of another language or package. */
export class OtherClient {
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  #errors = "";

  /** `script` is a file beside this one. */
  constructor(command: string, before: readonly string[], script: string, args: readonly string[]) {
    const path = fileURLToPath(new URL(script, import.meta.url));
    const child = spawn(command, [...before, path, ...args], { stdio: ["pipe", "pipe", "pipe"] });
    child.stderr.setEncoding("utf8").on("data", (text: string) => this.#errors += text);
    child.once("error", (error) => this.#errors += error.message);
    this.#process = child;
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  /** Stores a value. Throws if the client does not store it. */
  async set(mode: string, key: string, [type, data]: Other): Promise<void> {
    const answer = await this.#ask(["set", mode, key, type, Buffer.from(data).toString("base64")]);
    if (answer !== "stored") throw new Error(`${mode} did not store a ${type}: ${shown(answer)}`);
  }

  /** Reads a value, and returns its type and bytes. */
  async get(mode: string, key: string): Promise<readonly [type: string, bytes: Buffer]> {
    const answer = await this.#ask(["get", mode, key, "", ""]);
    const [type = "", text = ""] = answer.split("\t");
    if (type === "error") throw new Error(`${mode} did not read: ${shown(answer)}`);
    return [type, Buffer.from(text, "base64")];
  }

  close(): void {
    this.#process.kill("SIGKILL");
  }

  async #ask(step: readonly string[]): Promise<string> {
    this.#process.stdin?.write(`${step.join("\t")}\n`);
    const { value, done } = await this.#lines.next();
    if (done !== true) return value;
    throw new Error(`The other client has ended:\n${this.#errors}`);
  }
}

function shown(answer: string): string {
  const [type, text = ""] = answer.split("\t");
  return `${type} ${Buffer.from(text, "base64")}`;
}
