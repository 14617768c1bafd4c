/** Conversations with servers that were started with options. Each list is played to a server of its own. */
import type { MemcachedServerOptions } from "../../../src/testing/mod.ts";
import { type Case, raw } from "./case.ts";

/** Options of the embedded server that memcached has too, and the conversations with both. */
export interface OptionCases {
  readonly options: MemcachedServerOptions;
  readonly cases: readonly Case[];
}

const MEGABYTE = 1024 * 1024;
const LARGE = "x".repeat(100_000);
const HUGE = "y".repeat(900_000);

/**
 * More items of one size than fit. How many are kept differs between the two servers, but both keep f0 to f9
 * and neither keeps those from f30 on.
 */
function fill(count: number, value: string): string {
  const lines = Array.from({ length: count }, (_, index) => {
    return `set f${index} 0 0 ${value.length} noreply|${value}|`;
  });
  return lines.join("") + "mn";
}

export const OPTIONS: Readonly<Record<string, OptionCases>> = {
  "out of memory": {
    options: { outOfMemory: true, memoryLimit: 2 * MEGABYTE },
    cases: [[
      fill(40, LARGE),
      "mg f0|mg f9|mg f30|mg f39",
      `append f1 0 0 3|abc|prepend f1 0 0 3|abc|prepend f1 0 0 3 noreply|abc|mg f1 s`,
      `ms f0 100000|${LARGE}|mg f0|mg f1|set new 0 0 100000|${LARGE}|set more 0 0 100000|${LARGE}|mg new`,
      `add more 0 0 100000|${LARGE}|add f1 0 0 100000|${LARGE}|mg f1 s`,
      `replace f1 0 0 100000|${LARGE}|mg f1 s|cas f1 0 0 100000 1|${LARGE}|mg f1 s`,
      `set f2 0 0 100000|${LARGE}|mg f2|set f2 0 0 100000|${LARGE}|mg f2`,
      `ms f3 100000 MR|${LARGE}|mg f3|ms f3 100000|${LARGE}|mg f3`,
      `ms f4 100000 C1 O7 q|${LARGE}|mg f4|ms f4 100000 q|${LARGE}|mn`,
      `set more 0 0 100000 noreply|${LARGE}|mg more|mn`,
      "delete f5|touch f6 100|gat 0 f7 noreply|md f6|mg f8 T30 t",
      `ms f5 1|x|mg f5 v|incr f5 1|flush_all`,
      `set f1 0 0 100000|${LARGE}|mg f1|mg f9`,
    ]],
  },
  "out of memory while reading": {
    options: { outOfMemory: true, memoryLimit: 4 * MEGABYTE },
    cases: [[
      fill(8, HUGE),
      "mg f0|mg f1|mg f2|mg f6|mg f7",
      `set f1 0 0 900000|${HUGE}|mg f1 s`,
      `ms f1 900000 O1 k|${HUGE}|mg f1 s|ms f1 900000 O1 q|${HUGE}|mg f1 s`,
      `ms f1 900000 C1|${HUGE}|mg f1 s|replace f1 0 0 900000|${HUGE}|mg f1 s`,
      `set f1 0 0 900000 noreply|${HUGE}|mg f1 s|mn|add f6 0 0 900000|${HUGE}|mg f6`,
      `append f1 0 0 100000|${LARGE}|mg f1 s`,
      `delete f0|set f6 0 0 900000|${HUGE}|mg f6 s`,
    ]],
  },
  "no versions": {
    options: { cas: false },
    cases: [
      "set a 0 0 1|x|gets a|cas a 0 0 1 1|y|cas a 0 0 1 0|z|gets a|get a|gats 0 a",
      "cas a 0 0 1 0|x|cas a 0 0 1 5|x|ms a 1 C0|x|ms a 1 C7|x",
      "ms a 1 c|1|mg a c v|ms a 1 C0|2|ms a 1 C5|3|mg a v c|md a C1|md a C0|mg a v",
      "ms n 1|1|incr n 1|ma n v c|mg n c s|me n|ma n C0 v|ma n C3 v|ma v N0 J5 c v|mg v c",
      "ms s 1|x|md s I|mg s v c|mg s v c|ms s 1 C0 I|y|ms s 1 C5 I|y|mg s v c",
      "ms k 1|a|ms k 1 MA C3|b|ms k 1 MP C0|c|mg k v c|ms q 1 ME C4|x|mg q c|ms q 1 MR C4|y",
      "mg w N30 c v|mg w c v|ms w 1 c|x|mg w c v",
      `set a 0 0 1048524|${"x".repeat(1048524)}|mg a s|set a 0 0 1048525|${"x".repeat(1048525)}`,
      ["set a 0 0 1|x", "lru_crawler metadump all"],
      "set a 0 0 1|x|flush_all|set a 0 0 1|x|get a|add a 0 0 1|y|get a",
      ["set a 0 0 1|x|flush_all", { wait: 1 }, "set a 0 0 1|y|get a"],
      ["set a 0 0 1|x|flush_all 1|get a", { wait: 1 }, "set b 0 0 1|y|get a b"],
    ],
  },
  "no flush": {
    options: { flush: false },
    cases: [
      "set a 0 0 1|x|flush_all|flush_all 0|flush_all 100|flush_all x|flush_all noreply|get a",
      "flush_all|flush_all a b c|mn",
    ],
  },
  "no dump": {
    options: { dump: false },
    cases: [
      "lru_crawler metadump all|lru_crawler metadump x|lru_crawler crawl all|lru_crawler metadump",
      "version|lru_crawler metadump all|mn",
      "stats cachedump 1 1|stats cachedump|mn",
    ],
  },
  "authentication": {
    options: { auth: { username: "user", password: "pass" } },
    cases: [
      ...["mn", "m", "version", "get a", "quit", "stats", "set a", "set a 0 0 x|y", "", " "],
      "ms a 9|user pass",
      "add a 0 0 9|user pass|mn",
      "SET a 0 0 9|user pass|mn",
      "set a 0 0 9|user pass|get a|mn|set b 0 0 9|user pass|get b",
      "set a 0 0 9|user bad!|set a 0 0 9|user pass",
      "set a 0 0 9|user bad!|set a 0 0 9|bad! user",
      "set a 0 0 9 noreply|user pass|mn",
      "set a x y 9 z|user pass|mn",
      "set a 0 0 9|user passXX|version",
      "set a 0 0 4|user|mn",
      "set a 0 0 0||mn",
      "set a 0 0 -1|user pass",
      "set a 0 0 16|  user   pass   |mn",
      "set a 0 0 12|user pass zz|mn",
      "set  a 0  0 9 |user pass|mn",
      "set a 0 0 9|user\0pass|mn",
      "set a 0 0 4294967295|user pass",
      "set a 0 0 20000|" + "u".repeat(20_000) + "|mn",
      "set a 0 0 9|user pass|lru_crawler metadump all",
      raw("set a 0 0 9\nuser pass\r\nmn\n"),
      raw("\n", "\n", "mn\r\n"),
      raw("x".repeat(2048)),
      raw("x".repeat(2049)),
      raw("get " + "a ".repeat(2000), "b\r\nmn\r\n"),
      raw("x".repeat(3000) + "\r\nmn\r\n"),
      raw("set a 0 0 9\r\nuser", " pass\r\nmn\r\n"),
      raw("get a\r\nset a 0 0 9\r\nuser", " pass\r\nmn\r\n"),
      raw("set a 0 0 9\r\nuser bad!\r\n", "set a 0 0 9\r\nuser pass\r\nversion\r\n"),
      raw("version\r\n", "set a 0 0 9\r\nuser pass\r\n", "version\r\n"),
    ],
  },
};

/** Returns memcached's own command line for the options. */
export function argumentsOf(options: MemcachedServerOptions): string[] {
  const args: string[] = [];
  if (options.memoryLimit !== undefined) args.push("-m", `${options.memoryLimit / MEGABYTE}`);
  if (options.outOfMemory === true) args.push("-M", "-t", "1", "-o", "no_lru_maintainer");
  if (options.cas === false) args.push("-C");
  if (options.flush === false) args.push("-F");
  if (options.dump === false) args.push("-X");
  return args;
}
