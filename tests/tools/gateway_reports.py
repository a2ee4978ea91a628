"""A bench for what the gateway reports of SDKs: a way for reports, a clock, and what was told."""

import asyncio
from typing import Any, Final

from prometheus_client import CollectorRegistry
from tests.tools.clock import FixedClock

from faultwire_consumer.gateway.reading import ClientLoss, ReadEvent, Reading
from faultwire_consumer.gateway.reports.keeper import GatewayReports
from faultwire_consumer.gateway.reports.metrics import GatewayMetrics
from faultwire_consumer.gateway.reports.observer import GatewayProtocol
from faultwire_consumer.gateway.reports.tally import GatewayIdentity
from faultwire_consumer.gateway.reports.wrong_key import WrongKey
from faultwire_shared import codec
from faultwire_shared.event import ErrorSeverity, Sdk
from faultwire_shared.producer_report import ProducerReport

NODE: Final = Sdk(name="sentry.javascript.node", version="11.0.0")


class Kept:
    """A way for reports that can be shut, be slow, and fail."""

    def __init__(self) -> None:
        self.reports: list[ProducerReport] = []
        self.keys: list[str] = []
        self.is_open = True
        self.error: Exception | None = None
        self.hold: asyncio.Event | None = None
        self.asked = asyncio.Event()

    async def __call__(self, body: bytes, message_type: str, routing_key: str) -> bool:
        assert message_type == codec.PRODUCER_TYPE
        self.asked.set()
        if self.hold is not None:
            await self.hold.wait()
        if self.error is not None:
            raise self.error
        if self.is_open:
            self.reports.append(codec.decode_report(body))
            self.keys.append(routing_key)
        return self.is_open


class ReportBench:
    """Reports, with what they are made with."""

    def __init__(self) -> None:
        self.clock = FixedClock()
        self.kept = Kept()
        self.told: list[WrongKey] = []
        self.registry = CollectorRegistry()
        self.reports = GatewayReports(
            self.kept,
            metrics=GatewayMetrics(self.registry),
            tell=self.told.append,
            who=GatewayIdentity(host="edge-1", process="5d0c9a17"),
            clock=self.clock,
            monotonic=self.clock.monotonic,
        )

    def saw(self, service: str = "shop", *, sdk: Sdk | None = NODE, body: bytes = b"", **held: Any) -> None:
        self.reports.saw(
            service=service, reading=Reading(**held), sdk=sdk, protocol=GatewayProtocol.SENTRY, body=body
        )

    def value(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, labels) or 0.0


def event(sdk: Sdk = NODE) -> ReadEvent:
    return ReadEvent(id="error_20261123_" + "a" * 32, severity=ErrorSeverity.HIGH, body=b"{}", sdk=sdk)


def loss(reason: str = "ratelimit_backoff", category: str = "error", count: int = 64) -> ClientLoss:
    return ClientLoss(reason=reason, category=category, count=count)
