"""Managers whose events stay here."""

from dataclasses import dataclass, field
from typing import Any

from tests.tools.clock import FixedClock
from tests.tools.fake_transport import FakeTransport

from faultwire import ErrorManager


@dataclass
class Harness:
    """Managers whose transport is at hand."""

    transport: FakeTransport = field(default_factory=FakeTransport)

    def manager(self, **options: Any) -> ErrorManager:
        return ErrorManager(service="shop", clock=FixedClock(), transport=lambda: self.transport, **options)

    @property
    def messages(self) -> list[str]:
        return [event.message for event in self.transport.events]
