"""A host that reports its errors through the client, remembers each, and is not hurt."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.tools.oracle import Entry
from tests.tools.waiting import until, until_reached

from faultwire import ErrorManager, ErrorResponse

PATIENCE_SECONDS = 60.0


def price_of(order: int, text: str) -> int:
    """What fails in this host."""
    raise LookupError(f"{text} for order {order}")


class Host:
    """One service with its manager."""

    def __init__(self, errors: ErrorManager) -> None:
        self.errors = errors
        self.responses: list[ErrorResponse] = []

    def report(self, events: int, severity: str = "high", *, text: str = "no price") -> list[ErrorResponse]:
        """So many errors at once, without awaiting anything."""
        reported = []
        for number in range(events):
            try:
                price_of(number, text)
            except LookupError as error:
                reported.append(self.errors.handle_error_nowait(error, severity, {"order": number}))
        self.responses += reported
        return reported

    async def is_accepted(self) -> None:
        """Wait until the broker or the disk has every event."""

        async def accepted() -> bool:
            return all(response.state.accepted for response in self.responses)

        await until(accepted, f"every event is accepted: {self.errors.stats()}", seconds=PATIENCE_SECONDS)

    async def is_confirmed(self) -> None:
        """Wait until the other side has every event, and the disk none."""

        async def count_confirmed() -> int:
            return sum(response.state.state == "confirmed" for response in self.responses)

        async def has_empty_spool() -> bool:
            return not self.errors.stats().spooled

        # A line may be slow, and an event large: no step within the bound is what a fault looks like.
        await until_reached(
            len(self.responses), count_confirmed, "every event is confirmed", seconds=PATIENCE_SECONDS
        )
        await until(has_empty_spool, "nothing is left on disk", seconds=PATIENCE_SECONDS)

    @property
    def spooled(self) -> int:
        """Events that lie on disk now."""
        return self.errors.stats().spooled

    @property
    def ledger(self) -> list[Entry]:
        """Every event with its state as it is now."""
        return [Entry(response.error_id, response.state.state) for response in self.responses]

    def assert_accounts(self) -> None:
        """The client's own figures add up, and nothing was lost."""
        stats = self.errors.stats()
        assert stats.lost == {}
        assert stats.handled + stats.adopted == stats.confirmed + stats.spooled + stats.buffered


@asynccontextmanager
async def hosting(url: str, home: Path, log: pytest.LogCaptureFixture, **options: Any) -> AsyncIterator[Host]:
    """A host whose events must all have arrived at its end, with an empty disk and no complaint."""
    spool = home / "spool"
    manager = ErrorManager(collapse_storms=False, service="shop", broker_url=url, spool_path=spool, **options)
    with log.at_level(logging.WARNING):
        async with manager as errors:
            host = Host(errors)
            yield host
            await host.is_confirmed()
    host.assert_accounts()
    # A ledger stays where a slow line does not take the last report before the end: the next process says it.
    left = await asyncio.to_thread(os.listdir, spool)
    assert [name for name in left if not name.endswith(".ledger")] == []
    mistakes = [record.getMessage() for record in log.records if record.name == "asyncio"]
    mistakes += said(log, "publisher.failed", "spool.failed")
    assert mistakes == []


def said(log: pytest.LogCaptureFixture, *events: str) -> list[str]:
    """The client's log lines of these names."""
    return [record.getMessage() for record in log.records if getattr(record, "event", None) in events]
