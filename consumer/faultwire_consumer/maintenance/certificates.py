"""Shows when the certificates of broker and database end, and the one that this process shows itself."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Final

from faultwire_consumer.metrics import Metrics
from faultwire_shared.broker_url import split_addresses
from faultwire_shared.tls.certificate import ask_certificate

LOOK_SECONDS: Final = 600.0
"""Days are what matters; a handshake of its own costs the broker a few milliseconds."""


class CertificateWatch:
    """Looks every ten minutes.

    Args:
        metrics: where the ends are shown.
        broker_url: whose certificates are asked for, the first to end of a cluster's; None without a broker.
        database: says when the certificate ends that the database showed; None where there is none.
        served: says the same of the one that this process shows.
        sleep: waits for seconds.
    """

    def __init__(
        self,
        metrics: Metrics,
        broker_url: str | None,
        database: Callable[[], float | None],
        served: Callable[[], float | None] = lambda: None,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._ends = metrics.state.certificate_expiry
        self._addresses = split_addresses(broker_url) if broker_url is not None else ()
        self._database = database
        self._served = served
        self._sleep = sleep

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self.look()
            await self._sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Look once."""
        ends = await asyncio.gather(*(ask_certificate(address) for address in self._addresses))
        self._show("broker", min((end for end in ends if end is not None), default=None))
        self._show("database", self._database())
        self._show("http", self._served())

    def _show(self, peer: str, end: float | None) -> None:
        self._ends.labels(peer).set(math.nan if end is None else end)
