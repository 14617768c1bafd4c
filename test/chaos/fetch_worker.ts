/**
 * A process of the storm in fetch.ts, with users that fetch random keys over one client. The parent is the source:
 * it says what a load returns and how long it takes.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { channel } from "node:diagnostics_channel";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { type CommandMessage, type FetchMessage, Memcached } from "../../mod.ts";
import {
  type Begun,
  clock,
  type Done,
  type Job,
  type Question,
  type Reply,
} from "./fetch_messages.ts";

const job = JSON.parse(process.argv[2] as string) as Job;
const client = new Memcached(job.address, { protocol: job.protocol, timeout: 2_000 });
const waiting = new Map<number, (reply: Reply) => void>();
let questions = 0;
let ended = false;

process.on("message", (message: Reply | "end") => {
  if (message === "end") return void (ended = true);
  waiting.get(message.id)?.(message);
  waiting.delete(message.id);
});
process.on("disconnect", () => process.exit());

function ask(question: Question): Promise<Reply> {
  const id = ++questions;
  return new Promise((resolve) => {
    waiting.set(id, resolve);
    process.send?.({ id, ...question });
  });
}

/** How each call ended, from the channel, which publishes in the context of the caller. */
const call = new AsyncLocalStorage<{ result: string; askedAt: number }>();
channel("memwire:fetch").subscribe((message) => {
  const store = call.getStore();
  if (store !== undefined) store.result = (message as FetchMessage).result;
});

// A lease is won after it was asked for.
channel("memwire:command:start").subscribe((message) => {
  const store = call.getStore();
  if (store !== undefined && (message as CommandMessage).operation === "lease") {
    store.askedAt = clock();
  }
});

/** How many calls for a key are under way here. A call that joins another one shares its round trip. */
const underway = new Map<string, number>();

async function user(): Promise<void> {
  while (!ended) {
    const key = job.keys[Math.floor(Math.random() * job.keys.length)] as string;
    const { floor = 0, hard = 0 } = await ask({ ask: "floor", key });
    const alone = !underway.has(key);
    underway.set(key, (underway.get(key) ?? 0) + 1);
    const start = performance.now();
    const told = { result: "", askedAt: clock() };
    const seesMarks = job.protocol === "meta";
    const known = { key, floor, hard, seesMarks, alone };
    const done: Done = { ...known, load: 0, ms: 0, result: "", value: undefined, error: "" };
    try {
      done.value = await call.run(told, () => client.fetch(key, () => load(done), job.options));
    } catch (error) {
      done.error = (error as { code?: string }).code ?? String(error);
    }
    done.ms = performance.now() - start;
    done.result = told.result;
    const others = (underway.get(key) ?? 1) - 1;
    if (others === 0) underway.delete(key);
    else underway.set(key, others);
    process.send?.({ id: 0, ask: "done", done });
    await sleep(Math.random() * job.thinkMs);
  }
}

async function load(done: Done): Promise<string | undefined> {
  const { key } = done;
  const askedAt = call.getStore()?.askedAt ?? clock();
  const { load = 0, version = 0, ms = 0, fails, absent } = await ask({
    ask: "begin",
    key,
    askedAt,
  }) as Begun;
  done.load = load;
  await sleep(ms);
  // The parent learns that the load has ended before anybody can see its value.
  await ask({ ask: "end", load });
  if (fails) throw new Error("source");
  return absent ? undefined : `${key}:${version}`;
}

await Promise.all(Array.from({ length: job.users }, user));
await client.close();
process.disconnect?.();
