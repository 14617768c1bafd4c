import { subscribe } from "node:diagnostics_channel";
import { metrics, type Span, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import type { CommandMessage } from "memwire";

// Load this after the SDK has been started: a meter, unlike a tracer, does not wait for it.
const tracer = trace.getTracer("memwire");
const seconds = metrics.getMeter("memwire").createHistogram("db.client.operation.duration", {
  unit: "s",
  advice: { explicitBucketBoundaries: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10] },
});
const spans = new WeakMap<CommandMessage, Span>();

subscribe("memwire:command:start", (message) => {
  const command = message as CommandMessage;
  const name = `${command.operation} ${command.server.address}`;
  // Published in the caller's context, so the span of the request that it serves is its parent.
  spans.set(command, tracer.startSpan(name, { kind: SpanKind.CLIENT }));
});

subscribe("memwire:command:end", (message) => {
  const command = message as CommandMessage;
  const { address } = command.server; // "host:port", "[v6]:port" or "unix:/path"
  const [, host = address, port] = /^\[?([^/]*?)\]?:(\d+)$/.exec(address) ?? [];
  const attributes = {
    "db.system.name": "memcached",
    "db.operation.name": command.operation,
    "server.address": host,
    ...(port === undefined ? {} : { "server.port": Number(port) }),
    ...(command.error === undefined ? {} : { "error.type": command.error.code }),
  };
  seconds.record((command.duration ?? 0) / 1000, attributes);
  const span = spans.get(command);
  span?.setAttributes(attributes);
  if (command.keyCount > 1) span?.setAttribute("db.operation.batch.size", command.keyCount);
  if (command.error !== undefined) {
    span?.setStatus({ code: SpanStatusCode.ERROR, message: command.error.message });
  }
  span?.end();
});
