/** Ways to make a server keep too much, or to stop it. Each attack goes on until it is told to stop. */
import { Buffer } from "node:buffer";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** A server to attack. */
export interface Target {
  readonly port: number;
  /** Whether the attack should end. */
  readonly over: () => boolean;
}

const VALUE = Buffer.alloc(1_000_000, "v");

/** Opens a connection and ignores how it ends. */
function dial({ port }: Target): Socket {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => socket.destroy());
  return socket;
}

/** Sends what `next` returns as fast as the server takes it, over `count` connections. */
async function flood(
  target: Target,
  count: number,
  next: (turn: number) => Uint8Array | string,
  { reads = true, reconnects = true }: { reads?: boolean; reconnects?: boolean } = {},
): Promise<void> {
  let turn = 0;
  await Promise.all(Array.from({ length: count }, async () => {
    do {
      const socket = dial(target);
      if (reads) socket.resume();
      else socket.pause();
      while (!target.over() && !socket.destroyed) {
        socket.write(next(turn++));
        do await sleep(0); while (socket.writableNeedDrain && !socket.destroyed && !target.over());
      }
      if (target.over()) socket.destroy();
      else await sleep(20);
    } while (reconnects && !target.over());
  }));
}

const SPACES = " ".repeat(1900);

/** Every attack, by name. */
export const ATTACKS: Readonly<Record<string, (target: Target) => Promise<void>>> = {
  "a line of a get without an end": (target) => {
    const chunk = "key ".repeat(16_000);
    return flood(target, 50, (turn) => turn < 50 ? "get " : chunk);
  },
  "such a line byte by byte": (target) => flood(target, 50, (turn) => turn < 50 ? "get " : "a"),
  "values that are announced and never come": (target) => {
    let key = 0;
    return flood(target, 900, () => `set up${key++} 0 0 1000000\r\nx`, { reconnects: false });
  },
  "values of which half comes": (target) => {
    const half = VALUE.subarray(0, 500_000);
    const seen = new Set<number>();
    return flood(target, 200, (turn) => {
      if (seen.has(turn)) return "";
      seen.add(turn);
      return Buffer.concat([Buffer.from(`set half${turn} 0 0 1000000\r\n`), half]);
    });
  },
  "items of one byte": (target) =>
    flood(target, 4, (turn) => {
      const lines = Array.from({ length: 500 }, (_, index) =>
        `set s${turn * 500 + index} 0 0 1\r\nx\r\n`);
      return lines.join("");
    }),
  "items with all that costs": (target) =>
    flood(target, 4, (turn) => {
      const lines = Array.from({ length: 200 }, (_, index) => {
        const key = `${turn * 200 + index}`.padEnd(40, "k");
        return `ms ${key} 12 T1000 F4294967295 MS${SPACES}\r\nabcdefghijkl\r\n`;
      });
      return lines.join("");
    }),
  "lines of 16 KB with long keys": (target) =>
    flood(target, 4, (turn) => {
      const key = `${turn}`.padEnd(250, "z");
      return `get${" ".repeat(15_000)}${key}\r\nset${" ".repeat(15_000)}${key} 0 0 1\r\nx\r\n`;
    }),
  "large values": (target) =>
    flood(
      target,
      2,
      (turn) =>
        Buffer.concat([
          Buffer.from(`set big${turn % 100} 0 0 1000000\r\n`),
          VALUE,
          Buffer.from("\r\n"),
        ]),
    ),
  "values of 4 KB and 5 KB": (target) =>
    flood(target, 2, (turn) => {
      const size = turn % 2 === 0 ? 4090 : 5000;
      return `set mid${turn % 50_000} 0 0 ${size}\r\n${"m".repeat(size)}\r\n`.repeat(10);
    }),
  "large values that nobody reads, replaced meanwhile": (target) =>
    flood(target, 300, (turn) => `mg big${turn % 100} v\r\n`.repeat(20), { reads: false }),
  "a get of ever the same large value": (target) =>
    flood(target, 20, () => `get ${"big1 ".repeat(10_000)}\r\n`, { reads: false }),
  "replies that nobody reads": (target) =>
    flood(target, 600, () => "stats settings\r\n".repeat(50), { reads: false }),
  "many small questions": (target) =>
    flood(target, 4, () => "stats\nstats conns\nstats items\n".repeat(20)),
  "very many small questions": (target) => flood(target, 4, () => "mn\n".repeat(20_000)),
  "a get of very many keys": (target) => flood(target, 4, () => `get ${"s1 ".repeat(300_000)}\r\n`),
  "dumps": (target) => flood(target, 8, () => "lru_crawler metadump all\r\n"),
  "dumps that nobody reads": (target) =>
    flood(target, 50, () => "lru_crawler metadump all\r\n", { reads: false }),
  "the crawler, flushes and limits": (target) =>
    flood(target, 2, (turn) => {
      const limit = turn % 2 === 0 ? "cache_memlimit 8\r\n" : "cache_memlimit 64\r\n";
      return `lru_crawler crawl all\r\n${turn % 50 === 0 ? "flush_all\r\n" : ""}${limit}`;
    }),
  "appending": (target) =>
    flood(
      target,
      4,
      (turn) =>
        `set grow${turn % 4} 0 0 1\r\nx\r\n` +
        `append grow${turn % 4} 0 0 5000\r\n${"a".repeat(5000)}\r\n`.repeat(150),
    ),
  "numbers of very many digits": (target) => {
    const digits = "9".repeat(524_000);
    const zeros = "1".padStart(524_000, "0");
    return flood(
      target,
      2,
      (turn) =>
        turn % 30 === 0
          ? `set n1 0 0 524000\r\n${digits}\r\nset n2 0 0 524000\r\n${zeros}\r\n`
          : "incr n1 1\r\nincr n2 1\r\n".repeat(20),
    );
  },
  "connections that come and go": async (target) => {
    while (!target.over()) {
      const sockets = Array.from({ length: 50 }, () => dial(target));
      for (const socket of sockets) socket.write("set x 0 0 100000\r\nabc");
      await sleep(10);
      for (const socket of sockets) socket.destroy();
    }
  },
};
