"""A program that reports by OpenTelemetry's SDK: records of the log, and a span that fails.

All that it is told of where stands in the environment, as OpenTelemetry names it.
"""

import logging

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor


class PaymentError(Exception):
    """What fails in this shop."""


def charge(order: int) -> None:
    raise ConnectionError(f"no answer for order {order}")


def pay(order: int) -> None:
    try:
        charge(order)
    except ConnectionError as error:
        raise PaymentError(f"gateway refused order {order}") from error


def log_failures(logger: logging.Logger) -> None:
    for order in (17, 18, 19):
        try:
            pay(order)
        except PaymentError:
            logger.exception("payment failed")
    logger.warning("the cache is cold")
    logger.error("no stock left")


def trace_failure(tracer: trace.Tracer) -> None:
    """An exception that leaves two spans stands in both, and is one failure."""
    with tracer.start_as_current_span("GET /orders/:id/send"), tracer.start_as_current_span("send"):
        raise LookupError("no address")


def main() -> None:
    logs, spans = LoggerProvider(), TracerProvider()
    logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
    spans.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    logger = logging.getLogger("shop.orders")
    logger.addHandler(LoggingHandler(logger_provider=logs))
    log_failures(logger)
    try:
        trace_failure(spans.get_tracer("shop"))
    except LookupError:
        print("as expected")
    logs.shutdown()
    spans.shutdown()


if __name__ == "__main__":
    main()
