"""For the tests of services: the events that their code hands over, and no broker. A public promise."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from msgspec.structs import replace

from faultwire.assembly import Plan, Publishing
from faultwire.audit.account import Account
from faultwire.audit.loss import Losses
from faultwire.client import Client, diverting
from faultwire.publish.outlet import Outlet
from faultwire.publish.transport import Transport
from faultwire.queue.ticket import CONFIRMED, Ticket
from faultwire_shared import codec
from faultwire_shared.event import Event

__all__ = ["Captured", "capture_events"]


class Captured:
    """Events that were handed over so far, as they would have travelled."""

    def __init__(self, recorders: ExitStack) -> None:
        self._events: list[Event] = []
        self._diverted: list[Client] = []
        self._recorders = recorders

    @property
    def events(self) -> list[Event]:
        """The events, in the order in which they were handed over."""
        return list(self._events)

    @property
    def event(self) -> Event:
        """The only event.

        Raises:
            AssertionError: there is none, or there are more; the text says which.
        """
        if len(self._events) != 1:
            shown = "".join(f"\n  {each.severity.value} {each.code}: {each.message}" for each in self._events)
            raise AssertionError(f"one event was expected, and there are {len(self._events)}{shown}")
        return self._events[0]

    def clear(self) -> None:
        """Forget what was captured so far."""
        self._events.clear()

    def divert(self, manager: Client) -> None:
        """Capture what this manager is handed from now on, until the end of the block."""
        if not any(manager is known for known in self._diverted):
            self._diverted.append(manager)
            self._recorders.enter_context(manager.diverted(self._diverted_plan))

    def _diverted_plan(self, plan: Plan) -> Plan:
        return replace(
            plan,
            error_filter=plan.error_filter.without_sampling(),
            collapse_storms=False,
            delivery=Publishing(self._recorder),
        )

    def _recorder(self, losses: Losses, _: Account) -> Outlet:
        return _Recorder(self._events, losses)


@contextmanager
def capture_events(*managers: Client) -> Iterator[Captured]:
    """Capture the events of these managers; without any, of every manager of the process.

    Those that are made inside the block are among them then. Processors and ``ignore_errors`` do their work;
    ``sample_rate`` and ``collapse_storms`` do not, so that each error is one event. Nothing reaches a broker
    or a disk, every event counts as confirmed at once, and after the block the managers are what they were.
    """
    with ExitStack() as recorders:
        captured = Captured(recorders)
        for manager in managers:
            captured.divert(manager)
        if not managers:
            recorders.enter_context(diverting(captured.divert))
        yield captured


class _Recorder(Outlet):
    """An outlet that leads nowhere but into a list."""

    def __init__(self, events: list[Event], losses: Losses) -> None:
        super().__init__(_no_transport, losses)
        self.buffer.on_put = None
        self._events = events

    def start(self) -> None:
        """There is nothing to start."""

    def put(self, ticket: Ticket, *, at_once: bool = False) -> None:
        """Take the event as it would travel."""
        super().put(ticket, at_once=at_once)
        while taken := self.buffer.take(ticket.lane):
            for each in taken:
                self._events.append(codec.decode(each.body))
                self.buffer.settle(each, CONFIRMED)


def _no_transport() -> Transport:
    raise AssertionError("nothing is published while events are captured")
