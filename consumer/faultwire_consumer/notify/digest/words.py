"""Words of a digest: its period, totals, changes and ages."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from faultwire_consumer.domain.digest.facts import DigestTally, HeldSum
from faultwire_consumer.domain.sending import StageReason

_DAY: Final = timedelta(days=1)
_WEEK: Final = timedelta(days=7)
# Changes to and from summer time make days of 23 and 25 hours.
_HOUR: Final = timedelta(hours=1)
_HELD: Final = {
    StageReason.RESOLVED.value: "resolved before they were sent",
    StageReason.ACKNOWLEDGED.value: "acknowledged before they were sent",
    StageReason.MUTED.value: "held back by mutes",
    StageReason.SILENCED.value: "held back by silences",
    StageReason.MERGED.value: "merged before they were sent",
    StageReason.OVERTAKEN.value: "overtaken by later ones",
}


class DigestPeriod(Struct, frozen=True):
    """Names of a digest and of the period before it."""

    title: str
    before: str


def period_of(since: datetime | None, until: datetime | None) -> DigestPeriod:
    """Return the names of a period, by its length."""
    length = until - since if since is not None and until is not None else timedelta(0)
    if abs(length - _DAY) <= _HOUR:
        return DigestPeriod("Daily digest", "The day before")
    if abs(length - _WEEK) <= _HOUR:
        return DigestPeriod("Weekly digest", "The week before")
    return DigestPeriod("Digest", "The period before")


def spell_tally(tally: DigestTally, worse: int = 0) -> str:
    """Say totals in words: ``3 incidents, 1,207 events, 1 new``."""
    if not tally.incidents:
        return "no incidents"
    parts = [counted(tally.incidents, "incident"), counted(tally.events, "event")]
    parts.extend(f"{count:,} {what}" for count, what in _marks(tally, worse))
    return ", ".join(parts)


def _marks(tally: DigestTally, worse: int) -> Iterator[tuple[int, str]]:
    marks = ((tally.new, "new"), (tally.came_back, "came back"), (worse, "worse"))
    yield from (mark for mark in marks if mark[0])


def change_of(now: int, before: int) -> str:
    """Say how a count changed: ``30 times as many``, ``+25 %``, ``none before``."""
    if before <= 0:
        return "none before" if now else "none"
    if now >= 2 * before:
        factor = now / before
        return f"{factor:,.0f} times as many" if factor >= 10 else f"{factor:.1f} times as many"
    percent = round((now / before - 1) * 100)
    return f"{percent:+d} %" if percent else "as many"


def spell_held(held: HeldSum) -> str:
    """Say what was stopped for one reason: ``7 notifications of 2 incidents held back by silences``."""
    why = _HELD.get(held.reason) or held.reason.replace("_", " ")
    return f"{counted(held.notifications, 'notification')} of {counted(held.incidents, 'incident')}: {why}"


def spell_age(age: timedelta) -> str:
    """Say how long something lasts, in days, else in hours."""
    return counted(age.days, "day") if age >= _DAY else counted(max(0, age // _HOUR), "hour")


def counted(number: int, what: str) -> str:
    """Write a number with what it counts, in the plural unless it is one."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
