"""The loop that says how far a producer has counted and what it lost: every 30 s while there is news.

A report is never spooled: the next one says all of it again and more, and one that was stale would only hide
that. What a process could not say before its end stands in its ledger, and its heir says it.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final

# The account needs it in an executor's thread, and no import may begin there: no fork waits for it.
import faultwire.audit.ledger  # noqa: F401 - see above, and loop_thread.load
from faultwire.audit.account import Account
from faultwire.audit.report import REPORT_SECONDS, Said, is_due, is_settled
from faultwire.publish.transport import Outgoing
from faultwire_shared.codec import PRODUCER_TYPE, encode_report
from faultwire_shared.producer_report import ProducerReport
from faultwire_shared.topology import report_key

LOOK_SECONDS: Final = 1.0
"""So old may be what a killed process knew of its losses; of its numbers nothing is missing."""
INHERIT_SECONDS: Final = 60.0
"""Between two looks for ledgers whose process has died."""

Say = Callable[[Outgoing], Awaitable[bool]]
"""Publishes a message that is not an event; returns True if it was confirmed."""

logger: logging.Logger = logging.getLogger("faultwire")


class Reporter:
    """Reports for one account over one publisher; belongs to its event loop."""

    def __init__(
        self,
        account: Account,
        say: Say,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._account = account
        self._say = say
        self._clock = clock
        self._sleep = sleep
        self._since = clock()
        self._inherit_at = self._since
        self._said: dict[str, Said] = {}
        self._kept: ProducerReport | None = None

    async def run(self) -> None:
        """Look every second until cancelled."""
        while True:
            try:
                await self.look()
            except Exception as error:
                # A mistake in here, or a full disk, must neither reach the host nor end the reports.
                logger.debug("report.failed", extra={"event": "report.failed"}, exc_info=error)
                await self._sleep(REPORT_SECONDS)
            await self._sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Write the ledger where there is news, and say what is due.

        Raises:
            OSError: the directory of the ledgers cannot be used; what is due was said all the same.
        """
        report = self._account.report()
        if self._kept is None or report.lost != self._kept.lost:
            self._kept = report
            self._account.keep(report)
        if self._is_due(report):
            await self._tell(report)
        for dead in self._account.reports_of_dead():
            await self._speak_for(dead)
        if self._clock() >= self._inherit_at:
            self._inherit_at = self._clock() + INHERIT_SECONDS
            await asyncio.to_thread(self._account.open)

    async def close(self, seconds: float) -> None:
        """Say the last word, in at most ``seconds``; what could not be said stays in the ledger."""
        try:
            async with asyncio.timeout(seconds):
                await asyncio.to_thread(self._account.open)
                report = self._account.report()
                if (report.last_sequence or report.lost) and report != self.last_word:
                    await self._tell(report)
                for dead in self._account.reports_of_dead():
                    await self._speak_for(dead)
        except (TimeoutError, OSError):
            return

    @property
    def last_word(self) -> ProducerReport | None:
        """The last report of its own producer that was confirmed."""
        said = self._said.get(self._account.who.producer_id)
        return said.report if said is not None else None

    async def _speak_for(self, dead: ProducerReport) -> None:
        if self._is_due(dead, since=self._since - REPORT_SECONDS):
            await self._tell(dead)
        if is_settled(dead, self._said.get(dead.producer_id)):  # all that it left on disk is delivered too
            await asyncio.to_thread(self._account.settle, dead.producer_id)

    def _is_due(self, report: ProducerReport, *, since: float | None = None) -> bool:
        said = self._said.get(report.producer_id)
        return is_due(report, said, self._clock(), since=self._since if since is None else since)

    async def _tell(self, report: ProducerReport) -> bool:
        if not await self._say(message_of(report)):
            return False
        said = self._said.get(report.producer_id)
        times = said.times + 1 if said is not None and said.report == report else 1
        self._said[report.producer_id] = Said(report=report, at=self._clock(), times=times)
        return True


def message_of(report: ProducerReport) -> Outgoing:
    """The report as the transports take it."""
    return Outgoing(
        body=encode_report(report), message_type=PRODUCER_TYPE, routing_key=report_key(report.service)
    )
