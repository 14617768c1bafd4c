/**
 * Runs README's recipes for OpenTelemetry and Prometheus with the real packages. It is not part of `npm test`,
 * because the packages are installed by `npm ci --prefix test/telemetry`.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { context, metrics, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { register } from "prom-client";
import { Memcached } from "../../mod.ts";
import { startMemcached } from "../support/memcached.ts";

const recipe = (name: string): string => readFileSync(new URL(name, import.meta.url), "utf8");

test("README has the recipes as they are tested here", () => {
  const readme = recipe("../../README.md");
  for (const name of ["opentelemetry.ts", "prometheus.ts"]) {
    assert.ok(readme.includes(`\`\`\`typescript\n${recipe(name)}\`\`\`\n`), name);
  }
});

test("OpenTelemetry: a span for each command under the caller's, and the duration", async () => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  const spans = new InMemorySpanExporter();
  trace.setGlobalTracerProvider(
    new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] }),
  );
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));
  await import("./opentelemetry.ts");

  await using server = await startMemcached();
  await using client = new Memcached(server.address, { timeout: 10_000 });
  const tracer = trace.getTracer("test");
  const served = Array.from(
    { length: 50 },
    (_, i) =>
      tracer.startActiveSpan(`request ${i}`, async (span) => {
        await client.set(`k${i}`, "text");
        await client.getMany([`k${i}`, "x", "y"]);
        if (i === 0) await assert.rejects(client.increment("k0"));
        span.end();
        return span.spanContext().spanId;
      }),
  );
  const parents = await Promise.all(served);

  const own = spans.getFinishedSpans().filter(({ name }) => name.endsWith(server.address));
  assert.equal(own.length, 101);
  for (const parent of parents) {
    const children = own.filter(({ parentSpanContext }) => parentSpanContext?.spanId === parent);
    const names = children.map(({ attributes }) => attributes["db.operation.name"]);
    assert.deepEqual(names.slice(0, 2), ["set", "getMany"]);
  }
  const [host, port] = server.address.split(":");
  const many = own.find(({ attributes }) => attributes["db.operation.name"] === "getMany");
  assert.deepEqual({ ...many?.attributes }, {
    "db.system.name": "memcached",
    "db.operation.name": "getMany",
    "server.address": host,
    "server.port": Number(port),
    "db.operation.batch.size": 3,
  });
  const failed = own.find(({ status }) => status.code !== 0);
  assert.equal(failed?.attributes["error.type"], "SERVER_ERROR");
  assert.equal(failed?.attributes["db.operation.name"], "increment");

  await reader.forceFlush();
  const all = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics)
    .flatMap(({ metrics }) => metrics);
  const duration = all.find(({ descriptor }) => descriptor.name === "db.client.operation.duration");
  assert.equal(duration?.descriptor.unit, "s");
  const points = duration?.dataPoints ?? [];
  const counts = new Map(points.map(({ attributes, value }) => [
    attributes["db.operation.name"],
    (value as { count: number }).count,
  ]));
  assert.deepEqual(counts, new Map([["set", 50], ["getMany", 50], ["increment", 1]]));
  const sum = points.reduce((all, { value }) => all + ((value as { sum?: number }).sum ?? 0), 0);
  assert.ok(sum > 0 && sum < 101 * 10, `${sum} s`);
  await reader.shutdown();
  context.disable();
});

test("Prometheus: durations, and a hit ratio", async () => {
  await import("./prometheus.ts");
  await using server = await startMemcached();
  await using client = new Memcached(server.address, { timeout: 10_000 });
  await client.setMany([["a", 1], ["b", 2], ["c", 3]]);
  await client.getMany(["a", "b", "x", "y"]);
  await client.get("c");
  await client.get("z");
  await assert.rejects(client.increment("a", 1n << 70n)); // refused before anything is sent
  await client.set("text", "no number");
  await assert.rejects(client.increment("text"));

  const text = await register.metrics();
  const value = (line: string): number => {
    const found = text.split("\n").find((each) => each.startsWith(`${line} `));
    assert.ok(found !== undefined, `${line} in\n${text}`);
    return Number(found.slice(line.length + 1));
  };
  const hits = value(`memwire_hits_total{server="${server.address}"}`);
  const misses = value(`memwire_misses_total{server="${server.address}"}`);
  assert.deepEqual([hits, misses, hits / (hits + misses)], [3, 3, 0.5]);
  const count = (operation: string, code: string): number =>
    value(
      "memwire_command_seconds_count" +
        `{operation="${operation}",server="${server.address}",code="${code}"}`,
    );
  assert.equal(count("get", ""), 2);
  assert.equal(count("getMany", ""), 1);
  assert.equal(count("increment", "SERVER_ERROR"), 1);
});
