"""The spans that events come from, by what they say themselves and by the headers of their messages."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from faultwire_consumer.ingest.read.delivery import Delivery
from faultwire_shared.trace_context import (
    TRACEPARENT,
    TRACESTATE,
    TraceContext,
    context_in_event,
    read_context,
)


def context_in(headers: Mapping[str, Any]) -> TraceContext | None:
    """Read a message's context; whatever a stranger wrote there, None at worst."""
    parent = headers.get(TRACEPARENT)
    return None if parent is None else read_context(parent, headers.get(TRACESTATE))


def origin_spans(deliveries: Sequence[Delivery]) -> Iterator[TraceContext]:
    """Yield each span once that a batch's events come from, in their order.

    A message's own context comes before its events', which say less of the same span.
    """
    seen = set[tuple[str, str]]()
    for delivery in deliveries:
        for context in _contexts(delivery):
            if context is not None and context[:2] not in seen:
                seen.add(context[:2])
                yield context


def _contexts(delivery: Delivery) -> Iterator[TraceContext | None]:
    yield delivery.trace
    for raw in delivery.events:
        yield context_in_event(bytes(raw))
