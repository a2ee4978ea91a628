"""A span for each attempt of a notification, linked to those in which its events were handled."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from itertools import islice
from typing import Final

from faultwire_consumer.domain.incident_name import incident_name
from faultwire_consumer.notify.sender import Outcome, Sent
from faultwire_consumer.store.contract.store import Store, StoreUnavailableError
from faultwire_consumer.store.events.event import get_event
from faultwire_consumer.store.outbox.content import Content
from faultwire_consumer.tracing import Attributes, Spans
from faultwire_shared.trace_context import TraceContext, context_in_event

EVENTS_MAX: Final = 8
"""Events of a notification whose spans are looked for, each by a query."""


class TracedAttempts:
    """Puts a span around an attempt; in use only where somebody traces."""

    def __init__(self, spans: Spans, store: Store) -> None:
        self._spans = spans
        self._store = store

    async def send(
        self, sending: Callable[[], Awaitable[Outcome]], content: Content, *, receiver: str, number: int
    ) -> Outcome:
        """Send, and return the outcome.

        Args:
            sending: makes the attempt.
            content: of the notification.
            receiver: the name of who gets it.
            number: of the attempt, from 1.
        """
        with self._spans.open(f"notify {receiver}", _of(content, receiver, number)) as span:
            if span.is_recorded:
                span.link(await self._origins(content))
            outcome = await sending()
            span.say({"faultwire.outcome": outcome.name.value})
            if not isinstance(outcome, Sent):
                span.fail(outcome.reason.value)
        return outcome

    async def _origins(self, content: Content) -> list[TraceContext]:
        """Find the spans of its events; none where the database does not answer, or keeps no body."""
        found: dict[TraceContext, None] = {}
        with suppress(StoreUnavailableError):
            for event_id in islice(_events_of(content), EVENTS_MAX):
                event = await get_event(self._store, event_id)
                context = context_in_event(event.doc) if event is not None and event.doc else None
                if context is not None:
                    found[context] = None
        return list(found)


def _events_of(content: Content) -> Iterator[str]:
    return (line.event_id for line in content.lines if line.event_id is not None)


def _of(content: Content, receiver: str, number: int) -> Attributes:
    return {
        "faultwire.receiver": receiver,
        "faultwire.attempt": number,
        "faultwire.notification.id": content.id,
        "faultwire.notification.kind": content.kind.value,
        "faultwire.notification.reason": content.reason.value,
        "faultwire.severity": content.severity.value,
        "faultwire.incidents": [incident_name(line.incident_id) for line in content.lines[:EVENTS_MAX]],
    }
