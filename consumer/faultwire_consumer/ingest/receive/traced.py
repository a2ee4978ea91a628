"""A span for each batch, linked to those in which its events were handled; only where somebody traces."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, Final

from faultwire_consumer.domain.outcome import DeadLettered, Duplicate, Noted, Outcome, Retry, Stored
from faultwire_consumer.ingest.read.delivery import Delivery
from faultwire_consumer.ingest.read.origin_span import context_in, origin_spans
from faultwire_consumer.ingest.receive.amqp import AmqpReceiver
from faultwire_consumer.ingest.receive.receiver import Ingester
from faultwire_consumer.ingest.receive.settlement import BrokerHandle
from faultwire_consumer.tracing import Attributes, Kind, Spans

_COUNTED: Final[Mapping[type[Outcome], str]] = {
    Stored: "faultwire.events.stored",
    Duplicate: "faultwire.events.duplicate",
    DeadLettered: "faultwire.events.dead_lettered",
    Noted: "faultwire.reports",
    Retry: "faultwire.events.returned",
}
RETURNED: Final = "returned"
"""What failed when a batch goes back: the store did not take it now."""


class TracedReceiver(AmqpReceiver):
    """A lane's receiver that reads what its messages say of their spans."""

    def read(
        self,
        body: bytes,
        message_type: str | None,
        headers: Mapping[str, Any],
        handle: BrokerHandle,
        *,
        attempts: int = 1,
    ) -> Delivery:
        """Read a message with its span."""
        delivery = super().read(body, message_type, headers, handle, attempts=attempts)
        delivery.trace = context_in(headers)
        return delivery


class TracedIngester:
    """Puts a span around what another ingester does with a batch."""

    def __init__(self, ingester: Ingester, spans: Spans) -> None:
        self._ingester = ingester
        self._spans = spans

    async def ingest(self, deliveries: Sequence[Delivery]) -> list[list[Outcome]]:
        """Commit a batch; return the outcomes of each delivery's events, in order."""
        is_messages = any(isinstance(delivery.handle, BrokerHandle) for delivery in deliveries)
        place = deliveries[0].origin if deliveries else ""
        attributes = _of_messages(place, len(deliveries)) if is_messages else {}
        kind: Kind = "CONSUMER" if is_messages else "INTERNAL"
        with self._spans.open(f"process {place}".rstrip(), attributes, kind=kind) as span:
            if span.is_recorded:
                span.link(origin_spans(deliveries))
            outcomes = await self._ingester.ingest(deliveries)
            if span.is_recorded:
                counts = Counter(type(one) for one in chain.from_iterable(outcomes))
                span.say({_COUNTED[outcome]: count for outcome, count in counts.items()})
                if Retry in counts:
                    span.fail(RETURNED)
        return outcomes


def _of_messages(queue: str, messages: int) -> Attributes:
    """By OpenTelemetry's conventions for messaging; a batch of one lane comes from one queue."""
    return {
        "messaging.system": "rabbitmq",
        "messaging.operation.type": "process",
        "messaging.operation.name": "process",
        "messaging.destination.name": queue,
        "messaging.batch.message_count": messages,
    }
