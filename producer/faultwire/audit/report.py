"""A producer's report on itself to the worker's loss audit, and when it is due. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from faultwire_shared.event import Sdk
from faultwire_shared.producer_report import LOST_RANGES, LostRange, ProducerReport

REPORT_SECONDS: Final = 30.0
"""Between two reports, while there is something to say."""
LOSS_SECONDS: Final = 5.0
"""The same after a new loss: the worker tells of a number that it misses for 30 s."""


class Identity(Struct, frozen=True, kw_only=True):
    """The producer that numbers events here, and since when."""

    producer_id: str
    service: str
    host: str
    started_at: datetime
    sdk: Sdk


class Said(Struct, frozen=True, kw_only=True):
    """The last report that was confirmed, when (monotonic seconds), and how often in these words."""

    report: ProducerReport
    at: float
    times: int = 1


def build_report(
    who: Identity,
    *,
    last_sequence: int,
    lost: Iterable[LostRange] = (),
    unnumbered: Mapping[str, int] | None = None,
    spool_depth: int = 0,
) -> ProducerReport:
    """The report of a producer.

    Args:
        who: the producer.
        last_sequence: the highest number that it has given.
        lost: ranges of numbers that it gave up.
        unnumbered: losses of events whose number is not known, or that never had one, by reason; they are
            said as the numbers 0 to 0.
        spool_depth: events that wait with it, in memory or on disk.
    """
    silent = [
        LostRange(reason=reason, count=count, first=0, last=0)
        for reason, count in sorted((unnumbered or {}).items())
        if count > 0
    ]
    return ProducerReport(
        producer_id=who.producer_id,
        service=who.service,
        started_at=who.started_at,
        last_sequence=last_sequence,
        host=who.host,
        lost=[*silent, *lost][:LOST_RANGES],
        spool_depth=spool_depth,
        sdk=who.sdk,
    )


def with_losses(report: ProducerReport, lost: list[LostRange], *, spool_depth: int) -> ProducerReport:
    """A dead producer's report, with what its heir lost of it since."""
    last = max((span.last for span in lost), default=0)
    return replace(
        report,
        last_sequence=max(report.last_sequence, last),
        lost=[*report.lost, *lost][:LOST_RANGES],
        spool_depth=spool_depth,
    )


def is_due(report: ProducerReport, said: Said | None, now: float, *, since: float) -> bool:
    """True if the report says something that the last confirmed one did not, and it is time.

    ``since`` is when this producer began to look, for the time before its first report.

    While events wait with the producer, it keeps reporting them.
    """
    if not report.last_sequence and not report.lost:
        return False
    if said is None:
        return now - since >= (LOSS_SECONDS if report.lost else REPORT_SECONDS)
    if report.lost != said.report.lost:
        return now - said.at >= LOSS_SECONDS
    return not is_settled(report, said) and now - said.at >= REPORT_SECONDS


def is_settled(report: ProducerReport, said: Said | None) -> bool:
    """True if nothing is left to say.

    A range that counts fewer events than it has numbers is said twice: the worker can only use it once the
    other numbers in it have arrived.
    """
    if said is None or said.report != report or report.spool_depth:
        return False
    return said.times >= (2 if any(_is_loose(span) for span in report.lost) else 1)


def _is_loose(lost: LostRange) -> bool:
    return lost.first > 0 and lost.count < lost.last - lost.first + 1
