/**
 * Checks that every runtime reads what every runtime wrote.
 *
 *     matrix.ts write <file>     the corpus and random values, by our codec and by native where there is one
 *     matrix.ts read <file>...   all of them by our codec, ours by native too; exits 1 at any difference
 *     matrix.ts pin <file>       native's corpus alone, for `pinned.test.ts`
 */
import { Buffer } from "node:buffer";
import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { deserialize, serialize } from "../../src/v8/mod.ts";
import { corpus } from "./corpus.ts";
import { RandomValues } from "./random.ts";
import { difference } from "./same.ts";
import { isNode20, native } from "./settings.ts";

/** What one runtime wrote, in hex: corpus values by name, random values in their order. */
export interface Written {
  readonly runtime: string;
  readonly ours?: Record<string, string>;
  readonly native?: Record<string, string>;
  readonly random?: readonly string[];
}

const RANDOM_VALUES = 500;
const PINNED_BYTES = 2000;

function runtime(): string {
  const { node, deno, bun } = process.versions as Record<string, string | undefined>;
  return bun ? `Bun ${bun}` : deno ? `Deno ${deno}` : `Node ${node}`;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function write(codec: (value: unknown) => Uint8Array): Record<string, string> {
  return Object.fromEntries(corpus.map(({ name, make }) => [name, hex(codec(make()))]));
}

function writeAll(): Written {
  const values = new RandomValues(1);
  return {
    runtime: runtime(),
    ours: write(serialize),
    ...(native && { native: write(native.serialize) }),
    random: Array.from({ length: RANDOM_VALUES }, () => hex(serialize(values.next()))),
  };
}

function pin(): Written {
  if (native === undefined) throw new Error("this runtime has no native codec to pin");
  const all = Object.entries(write(native.serialize));
  const short = all.filter(([, bytes]) => bytes.length <= 2 * PINNED_BYTES);
  return { runtime: runtime(), native: Object.fromEntries(short) };
}

type Read = (bytes: Uint8Array) => unknown;

/** How one value of the corpus was misread; `undefined` if it was read correctly. */
export function misread(name: string, bytes: string, read: Read): string | undefined {
  const entry = corpus.find((entry) => entry.name === name);
  try {
    const value = read(Buffer.from(bytes, "hex"));
    if (entry === undefined) return `${name}: read, though there is no such value here`;
    const found = difference(value, (entry.reads ?? entry.make)());
    return found && `${name}: ${found}`;
  } catch (error) {
    // The value is of a class that this runtime lacks, such as Float16Array in Node 20.
    if (entry === undefined && (error as { code?: string }).code === "CORRUPT_VALUE") {
      return undefined;
    }
    return `${name}: ${error}`;
  }
}

function readAll(written: Written): string[] {
  const faults: (string | undefined)[] = [];
  const own = write(serialize);
  for (const [name, bytes] of Object.entries(written.ours ?? {})) {
    faults.push(misread(name, bytes, deserialize));
    if (own[name] !== undefined && own[name] !== bytes) {
      faults.push(`${name}: other bytes than here`);
    }
    const unreadable = isNode20 && corpus.find((entry) => entry.name === name)?.notInNode20;
    if (native && own[name] && !unreadable) faults.push(misread(name, bytes, native.deserialize));
  }
  for (const [name, bytes] of Object.entries(written.native ?? {})) {
    faults.push(misread(name, bytes, deserialize));
  }
  const values = new RandomValues(1);
  for (const [i, bytes] of (written.random ?? []).entries()) {
    const value = values.next();
    const found = difference(deserialize(Buffer.from(bytes, "hex")), value);
    if (found) faults.push(`random value ${i}: ${found}`);
    if (hex(serialize(value)) !== bytes) faults.push(`random value ${i}: other bytes than here`);
  }
  return faults.filter((fault) => fault !== undefined);
}

function main([command, ...files]: readonly string[]): number {
  if (command === "write" || command === "pin") {
    const written = command === "write" ? writeAll() : pin();
    writeFileSync(files[0] as string, JSON.stringify(written, undefined, 2) + "\n");
    return 0;
  }
  if (command !== "read" || files.length === 0) throw new Error("usage: see the head of matrix.ts");
  let faults = 0;
  for (const file of files) {
    const written = JSON.parse(readFileSync(file, "utf8")) as Written;
    const found = readAll(written);
    const count = (part: object = {}): number => Object.keys(part).length;
    console.log(
      `${runtime()} reads ${written.runtime}: ${count(written.ours)} of ours, ` +
        `${count(written.native)} native, ${count(written.random)} random, ${found.length} wrong`,
    );
    for (const fault of found) console.log(`  ${fault}`);
    faults += found.length;
  }
  return faults === 0 ? 0 : 1;
}

if (import.meta.main ?? process.argv[1]?.endsWith("matrix.ts")) {
  process.exitCode = main(process.argv.slice(2));
}
