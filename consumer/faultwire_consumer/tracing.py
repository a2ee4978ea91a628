"""Spans of the worker's own work, where OpenTelemetry is set up around it; elsewhere nothing is imported."""

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, Literal

from faultwire_shared import __version__
from faultwire_shared.logging.logs import get_logger
from faultwire_shared.trace_context import TraceContext

if TYPE_CHECKING:
    # Loaded by `opentelemetry-instrument` or not at all: a worker that nobody traces pays nothing.
    from contextvars import Token

    from opentelemetry.context import Context
    from opentelemetry.trace import Span, SpanContext, Tracer

LINKS_MAX: Final = 64
"""Producers' spans that one span is linked to: half of what OpenTelemetry's SDK keeps by default."""
PROVIDER_VARIABLE: Final = "OTEL_PYTHON_TRACER_PROVIDER"
"""By it OpenTelemetry's API finds a provider without anybody's code."""

Kind = Literal["CONSUMER", "INTERNAL"]
Attributes = Mapping[str, str | int | Sequence[str]]

log = get_logger("faultwire.tracing")


class WorkSpan:
    """A span of a piece of work; what fails in OpenTelemetry, or in what is plugged into it, is swallowed."""

    def __init__(self, span: "Span | None") -> None:
        self._span = span

    @property
    def is_recorded(self) -> bool:
        """True if anybody will see what is said here; finding out what to say may cost something."""
        with suppress(Exception):
            return self._span is not None and self._span.is_recording()
        return False

    def link(self, contexts: Iterable[TraceContext]) -> None:
        """Link it to the spans that the work comes from, `LINKS_MAX` at most."""
        with suppress(Exception):
            if self._span is not None:
                for _, context in zip(range(LINKS_MAX), contexts, strict=False):
                    self._span.add_link(_foreign(context))

    def say(self, attributes: Attributes) -> None:
        """Add attributes."""
        with suppress(Exception):
            if self._span is not None:
                self._span.set_attributes(attributes)

    def fail(self, reason: str) -> None:
        """Say that the work failed, and what for: one of a few words."""
        with suppress(Exception):
            if self._span is not None:
                from opentelemetry.trace import StatusCode  # noqa: PLC0415 - as above

                self._span.set_attribute("error.type", reason)
                self._span.set_status(StatusCode.ERROR, reason)


class Spans:
    """Opens spans by a tracer."""

    def __init__(self, tracer: "Tracer") -> None:
        self._tracer = tracer
        self._has_failed = False

    @contextmanager
    def open(self, name: str, attributes: Attributes, *, kind: Kind = "INTERNAL") -> Iterator[WorkSpan]:
        """Open a span around a block; spans that are opened in there, also by libraries, are its children."""
        opened = self._begin(name, attributes, kind)
        try:
            yield WorkSpan(None if opened is None else opened[0])
        finally:
            if opened is not None:
                self._end(*opened)

    def _begin(self, name: str, attributes: Attributes, kind: Kind) -> "tuple[Span, Token[Context]] | None":
        from opentelemetry import context, trace  # noqa: PLC0415 - as above

        try:
            span = self._tracer.start_span(name, kind=trace.SpanKind[kind], attributes=attributes)
            return span, context.attach(trace.set_span_in_context(span))
        except Exception as error:  # noqa: BLE001 - of a user's sampler or processor: no event waits for it
            self._tell(error)
            return None

    def _end(self, span: "Span", token: "Token[Context]") -> None:
        from opentelemetry import context  # noqa: PLC0415 - as above

        try:
            context.detach(token)
            span.end()
        except Exception as error:  # noqa: BLE001 - as above
            self._tell(error)

    def _tell(self, error: Exception) -> None:
        if not self._has_failed:
            self._has_failed = True
            log.warning("tracing.failed", why=f"{type(error).__name__}: {error}"[:200])


def find_spans() -> Spans | None:
    """Return what opens spans; None where nobody has set OpenTelemetry up for this process."""
    if "opentelemetry.trace" not in sys.modules and not os.environ.get(PROVIDER_VARIABLE):
        return None
    try:
        from opentelemetry import trace  # noqa: PLC0415 - as above

        provider = trace.get_tracer_provider()
    except Exception as error:  # noqa: BLE001 - not installed, or a provider that cannot be made: none, and the work goes on
        log.warning("tracing.failed", why=f"{type(error).__name__}: {error}"[:200])
        return None
    if isinstance(provider, trace.ProxyTracerProvider | trace.NoOpTracerProvider):
        return None
    return Spans(provider.get_tracer("faultwire", __version__))


def _foreign(context: TraceContext) -> "SpanContext":
    from opentelemetry.trace import SpanContext, TraceFlags, TraceState  # noqa: PLC0415 - as above

    return SpanContext(
        int(context.trace_id, 16),
        int(context.span_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(context.flags),
        trace_state=TraceState.from_header([context.state] if context.state else []),
    )
