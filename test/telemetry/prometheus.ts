import { subscribe } from "node:diagnostics_channel";
import type { CommandMessage } from "memwire";
import { Counter, Histogram } from "prom-client";

const seconds = new Histogram({
  name: "memwire_command_seconds",
  help: "Duration of memcached commands; code is that of the error, or empty",
  labelNames: ["operation", "server", "code"],
  buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5],
});
const hits = new Counter({
  name: "memwire_hits_total",
  help: "Keys that were read and there",
  labelNames: ["server"],
});
const misses = new Counter({
  name: "memwire_misses_total",
  help: "Keys that were read and not there",
  labelNames: ["server"],
});

subscribe("memwire:command:end", (message) => {
  const { operation, server, duration, hitCount, missCount, error } = message as CommandMessage;
  const code = error?.code ?? "";
  seconds.observe({ operation, server: server.id, code }, (duration ?? 0) / 1000);
  hits.inc({ server: server.id }, hitCount ?? 0);
  misses.inc({ server: server.id }, missCount ?? 0);
});
