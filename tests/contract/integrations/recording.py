"""A manager whose events stay here, and one that a worker receives; and what every host owes them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from tests.tools.fake_transport import FakeTransport

from faultwire import ErrorManager, SyncErrorManager
from faultwire_shared.event import Event

TRACE: Final = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN: Final = "00f067aa0ba902b7"
HEADERS: Final = {
    "traceparent": f"00-{TRACE}-{SPAN}-01",
    "Cookie": "session=secret",
    "Authorization": "Bearer secret",
    "X-Forwarded-For": "203.0.113.9",
    "X-Tenant": "acme",
}


class Recorded:
    """A manager, and the events that it has published."""

    def __init__(self, **options: Any) -> None:
        self._transport = FakeTransport()
        self.errors = ErrorManager(
            service="shop", transport=lambda: self._transport, collapse_storms=False, **options
        )

    async def events(self) -> list[Event]:
        """Everything that was handed over by now, in that order: lanes do not wait for each other."""
        assert await self.errors.flush(60)
        return sorted(self._transport.events, key=_number)

    async def event(self) -> Event:
        """The one event that there is."""
        (event,) = await self.events()
        return event


class SyncRecorded:
    """The same in a host without an event loop."""

    def __init__(self, **options: Any) -> None:
        self._transport = FakeTransport()
        self.errors = SyncErrorManager(
            service="shop", transport=lambda: self._transport, collapse_storms=False, **options
        )

    def events(self) -> list[Event]:
        """Everything that was handed over by now, in that order."""
        assert self.errors.flush(60)
        return sorted(self._transport.events, key=_number)

    def event(self) -> Event:
        """The one event that there is."""
        (event,) = self.events()
        return event


def _number(event: Event) -> int:
    assert event.sequence is not None
    return event.sequence


@asynccontextmanager
async def recorded() -> AsyncIterator[Recorded]:
    """A manager that is closed at the end."""
    one = Recorded()
    async with one.errors:
        yield one


def assert_unhandled(event: Event, answer: dict[str, Any], *, route: str, function: str) -> None:
    """What an unhandled error owes its operator: one id, the route, the trace, the place, no secret."""
    assert event.id == answer["error"]["id"]
    assert event.handled is False
    assert event.transaction == route
    assert (event.trace_id, event.span_id) == (TRACE, SPAN)
    own = [frame for frame in event.exceptions[0].frames if frame.in_app]
    assert own[-1].qualname == function
    assert not [frame.module for frame in own if frame.module.startswith("faultwire")]
    assert event.request["headers"]["x-tenant"] == "acme"
    assert "secret" not in str(event.request)
    assert "203.0.113.9" not in str(event.request)
    assert event.request["query"] == {"page": "2", "tag": ["a", "b"]}
