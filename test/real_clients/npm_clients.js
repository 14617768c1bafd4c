/**
 * Runs memjs, npm's memcached and memcache-client in Node. It reads steps from stdin and answers each as
 * other_client.ts says. The mode is a client's name; "memcache-client zstd" compresses.
 */
import { Buffer } from "node:buffer";
import { createInterface } from "node:readline";
import process from "node:process";
import { promisify } from "node:util";
import { MemcacheClient } from "memcache-client";
import Memcached from "memcached";
import memjs from "memjs";

const address = process.argv[2];
const zstd = new MemcacheClient({ server: address });
const plain = memjs.Client.create(address);
const memcached = new Memcached(address, { maxValue: 1048576 });
const set = promisify(memcached.set.bind(memcached));
const get = promisify(memcached.get.bind(memcached));

const CLIENTS = {
  memjs: {
    set: (key, value) => plain.set(key, value, {}),
    get: async (key) => (await plain.get(key)).value,
  },
  memcached: { set: (key, value) => set(key, value, 0), get },
  "memcache-client": {
    set: (key, value) => zstd.set(key, value, { lifetime: 0 }),
    get: async (key) => (await zstd.get(key)).value,
  },
  "memcache-client zstd": {
    set: (key, value) => zstd.set(key, value, { lifetime: 0, compress: true }),
    get: async (key) => (await zstd.get(key)).value,
  },
};

function read(type, text) {
  const bytes = Buffer.from(text, "base64");
  if (type === "bytes") return bytes;
  const written = bytes.toString();
  if (type === "text") return written;
  if (type === "number") return Number(written);
  return JSON.parse(written); // json, bool, null
}

function write(value) {
  const [type, bytes] = Buffer.isBuffer(value)
    ? ["bytes", value]
    : typeof value === "string"
    ? ["text", Buffer.from(value)]
    : typeof value === "number"
    ? ["number", Buffer.from(Object.is(value, -0) ? "-0" : String(value))]
    : ["json", Buffer.from(JSON.stringify(value))];
  return `${type}\t${bytes.toString("base64")}`;
}

for await (const line of createInterface({ input: process.stdin })) {
  const [operation, mode, key, type, text] = line.split("\t");
  let answer;
  try {
    if (operation === "set") {
      await CLIENTS[mode].set(key, read(type, text));
      answer = "stored";
    } else answer = write(await CLIENTS[mode].get(key));
  } catch (error) {
    answer = `error\t${Buffer.from(String(error)).toString("base64")}`;
  }
  process.stdout.write(`${answer}\n`);
}
process.exit();
