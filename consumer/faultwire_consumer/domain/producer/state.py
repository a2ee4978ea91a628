"""States of producers, as far as can be known: one without errors and one that ended say nothing. Pure."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from msgspec import Struct

SAYS_WITHIN: Final = timedelta(seconds=90)
"""The time within which a process that has something to say does: it reports every 30 s."""


class ProducerState(StrEnum):
    """The state of a process that sends events, or of a service by the process of it that was seen last."""

    REPORTS = "reports"
    """It was heard from just now."""
    SETTLED = "settled"
    """It has said all there was to say: it ended well, or has no errors."""
    QUIET = "quiet"
    """It owes something, events on its disk or a word about its last ones, and is not heard from."""


class ProducerReason(StrEnum):
    """The reason for a state."""

    HEARD = "heard"
    """It sent an event or a report within the last 90 seconds."""
    SAID_ALL = "said_all"
    """Its last report tells of all that it sent."""
    ON_ITS_DISK = "on_its_disk"
    """By its last report events lie on its disk."""
    NO_GOODBYE = "no_goodbye"
    """It sent events after its last report, or never reported: it was killed, or cannot be reached."""


class ProducerVerdict(Struct, frozen=True):
    """A state, and the reason for it."""

    state: ProducerState
    reason: ProducerReason


def judge_producer(
    *, last_seen_at: datetime, last_report_at: datetime | None, spool_depth: int, now: datetime
) -> ProducerVerdict:
    """Decide on the state of one process.

    The store computes the same in SQL to count services, see ``store/audit/service_list.py``.

    Args:
        last_seen_at: when its last event or report arrived.
        last_report_at: when its last report arrived; None if it never reported.
        spool_depth: events on its disk, by that report.
        now: the time.
    """
    if now - last_seen_at <= SAYS_WITHIN:
        return ProducerVerdict(ProducerState.REPORTS, ProducerReason.HEARD)
    if last_report_at is not None and spool_depth > 0:
        return ProducerVerdict(ProducerState.QUIET, ProducerReason.ON_ITS_DISK)
    # An event and the report that counts it are not a minute apart.
    if last_report_at is None or last_seen_at - last_report_at > SAYS_WITHIN:
        return ProducerVerdict(ProducerState.QUIET, ProducerReason.NO_GOODBYE)
    return ProducerVerdict(ProducerState.SETTLED, ProducerReason.SAID_ALL)
