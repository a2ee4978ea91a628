// A shop in Node that reports by OpenTelemetry's SDK; the environment says where to, and "json" or "proto" how.
import { SeverityNumber } from "@opentelemetry/api";
import { OTLPLogExporter as JsonLogs } from "@opentelemetry/exporter-logs-otlp-http";
import { OTLPLogExporter as ProtoLogs } from "@opentelemetry/exporter-logs-otlp-proto";
import { OTLPTraceExporter as JsonSpans } from "@opentelemetry/exporter-trace-otlp-http";
import { OTLPTraceExporter as ProtoSpans } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchLogRecordProcessor, LoggerProvider } from "@opentelemetry/sdk-logs";
import { BatchSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";

const isJson = process.argv[2] === "json";
const resource = resourceFromAttributes({
  "service.name": process.env.OTEL_SERVICE_NAME,
  "service.version": "1.4.2",
  "deployment.environment.name": "staging",
});
const logs = new LoggerProvider({
  resource,
  processors: [new BatchLogRecordProcessor({ exporter: isJson ? new JsonLogs() : new ProtoLogs() })],
});
const spans = new TracerProvider({
  resource,
  spanProcessors: [new BatchSpanProcessor({ exporter: isJson ? new JsonSpans() : new ProtoSpans() })],
});

class PaymentError extends Error {
  name = "PaymentError";
}

function pay(order) {
  throw new PaymentError(`gateway refused order ${order}`);
}

const logger = logs.getLogger("shop.orders");
for (const order of [17, 18, 19]) {
  try {
    pay(order);
  } catch (error) {
    logger.emit({
      severityNumber: SeverityNumber.ERROR,
      body: "payment failed",
      attributes: {
        "exception.type": error.name,
        "exception.message": error.message,
        "exception.stacktrace": error.stack,
      },
    });
  }
}
logger.emit({ severityNumber: SeverityNumber.WARN, body: "the cache is cold" });
logger.emit({ severityNumber: SeverityNumber.ERROR, body: "no stock left" });

const tracer = spans.getTracer("shop");
const span = tracer.startSpan("GET /orders/:id/send");
span.recordException(new RangeError("no address"));
span.end();

await logs.shutdown();
await spans.shutdown();
