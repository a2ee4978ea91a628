"""Counts what comes through the gateway, and reports it as a producer for each service and SDK."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from faultwire_consumer.gateway.reading import Reading
from faultwire_consumer.gateway.reports.metrics import GatewayMetrics
from faultwire_consumer.gateway.reports.observer import GatewayProtocol
from faultwire_consumer.gateway.reports.repeated import RepeatMemory
from faultwire_consumer.gateway.reports.tally import GatewayIdentity, SdkLedger, SdkTally, Words, shares_of
from faultwire_consumer.gateway.reports.vocabulary import REFUSALS, Vocabulary
from faultwire_consumer.gateway.reports.wrong_key import WrongKey, WrongKeys
from faultwire_shared import codec
from faultwire_shared.clock import Clock, utc_now
from faultwire_shared.codec import PRODUCER_TYPE
from faultwire_shared.event import Sdk
from faultwire_shared.logging.logs import get_logger
from faultwire_shared.topology import report_key

LOOK_SECONDS: Final = 5.0
LAST_SECONDS: Final = 2.0
"""Time for the last reports, when the process ends."""
_AT_ONCE: Final = 20

log = get_logger("faultwire.gateway")


class KeepReport(Protocol):
    """The way that events go too: broker, spool or store."""

    async def __call__(self, body: bytes, message_type: str, routing_key: str) -> bool:
        """Take a message; return True if it is kept now."""
        ...


class GatewayReports:
    """The observer of the gateway's door; reports at most every 30 s, and at the end.

    All counts are in memory, and each report says all of it again: of a process that is killed at most the
    counts of its last 30 s are lost, and a report that is delivered twice counts once.

    Args:
        keep: takes reports.
        metrics: counts at once.
        tell: is told of senders with a wrong key, of each kind once an hour.
        who: this process.
        clock: the time in UTC.
        monotonic: seconds that only grow.
    """

    def __init__(
        self,
        keep: KeepReport,
        *,
        metrics: GatewayMetrics,
        tell: Callable[[WrongKey], None],
        who: GatewayIdentity,
        clock: Clock = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keep = keep
        self._metrics = metrics
        self._tell = tell
        self._who = who
        self._clock = clock
        self._monotonic = monotonic
        self._ledger = SdkLedger(who)
        self._words = Words()
        self._refusals = Vocabulary(REFUSALS)
        self._repeated = RepeatMemory()
        self._wrong_keys = WrongKeys()

    def saw(
        self,
        *,
        service: str,
        reading: Reading,
        sdk: Sdk | None,
        protocol: GatewayProtocol,
        body: bytes = b"",
    ) -> None:
        """Count what a request held, see `Observer`."""
        now = self._monotonic()
        if reading.losses and self._repeated.is_repeated(service, body, now):
            reading = Reading(events=reading.events, dropped=reading.dropped, sdk=reading.sdk)
        self._metrics.items_broken.inc(reading.broken)
        for one, share in shares_of(reading, sdk, self._words).items():
            self._metrics.events.labels(protocol=protocol.value).inc(share.events)
            for kind, count in share.dropped.items():
                self._metrics.items_dropped.labels(kind=kind).inc(count)
            for (reason, category), count in share.losses.items():
                self._metrics.client_losses.labels(reason=reason, category=category).inc(count)
            self._ledger.add(service, one, share, at=self._clock(), now=now)

    def refused(self, *, reason: str, path: str, user_agent: str, key_start: str | None = None) -> None:
        """Count a refused request, see `Observer`; a wrong key is told, too."""
        word = self._refusals.name(reason)
        self._metrics.refused.labels(reason=word).inc()
        if key_start is None:
            return
        now = self._monotonic()
        wrong = self._wrong_keys.judge(
            reason=word, path=path, user_agent=user_agent, key_start=key_start, now=now
        )
        if since := self._wrong_keys.warn(now):
            log.warning(
                "gateway.key_refused",
                path=wrong.path,
                user_agent=wrong.user_agent,
                key_start=wrong.key_start,
                reason=wrong.reason,
                refused=since,
                mends=wrong.mends,
            )
        if self._wrong_keys.is_news(wrong, now):
            self._tell(wrong)

    async def run(self) -> None:
        """Send what is due every few seconds, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.send_due()

    async def send_due(self, *, is_last: bool = False) -> None:
        """Send the reports that are due; what is not kept is due again at the next look."""
        due = self._ledger.due(self._monotonic(), is_last=is_last)
        for start in range(0, len(due), _AT_ONCE):
            if not any(await asyncio.gather(*(self._send(one) for one in due[start : start + _AT_ONCE]))):
                break  # nothing is kept now
        self._ledger.forget(self._monotonic())

    async def send_last(self) -> None:
        """Send all that was not reported yet, in two seconds at most; the door is shut by now."""
        try:
            async with asyncio.timeout(LAST_SECONDS):
                await self.send_due(is_last=True)
        except TimeoutError:
            log.warning("gateway.report_cut_short")

    def waiting(self) -> Sequence[SdkTally]:
        """Return what has news that no report was kept with."""
        return self._ledger.due(self._monotonic(), is_last=True)

    async def _send(self, tally: SdkTally) -> bool:
        report = tally.report(self._who.host)
        tally.news = False  # what comes while it is sent is news again
        try:
            kept = await self._keep(codec.encode_report(report), PRODUCER_TYPE, report_key(report.service))
        except Exception as error:  # noqa: BLE001 - one report must not end the loop; it goes out again
            log.warning("gateway.report_failed", why=type(error).__name__)
            kept = False
        except BaseException:
            tally.news = True
            raise
        if kept:
            tally.said_at = self._monotonic()
        else:
            tally.news = True
        return kept
