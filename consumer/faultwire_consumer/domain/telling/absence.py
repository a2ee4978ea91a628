"""Absence: a service that should report went quiet. Pure.

Time in which nobody watched does not count: after a restart, an outage of the database or a backlog a
service has the rest of its time to report, as if the clock had stood still.
"""

import base64
import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

CODE: Final = "SERVICE_ABSENT"
RULE_TAG: Final = "absence_rule"
SERVICE_TAG: Final = "absent_service"
"""Tags of the event that tells of an absence; silences can name them."""
UNWATCHED: Final = timedelta(minutes=5)
"""A longer time between two looks was not watched."""
SERVICES_MAX: Final = 1000
"""Services that one rule watches by its patterns."""
_WILDCARDS: Final = frozenset("*?[")


class AbsenceStep(StrEnum):
    """The news of a watched service."""

    NONE = "none"
    WENT_QUIET = "went_quiet"
    CAME_BACK = "came_back"


class Watch(Struct, frozen=True, kw_only=True):
    """One service, watched for one rule."""

    rule: str
    service: str
    since: datetime
    """Time from which its silence counts: when it was last heard; later by what nobody watched."""
    checked_at: datetime
    event_id: str | None = None
    """Event that told of its absence, until it comes back."""


def begin(rule: str, service: str, now: datetime) -> Watch:
    """Begin to watch a service: it has the rule's whole time, whenever it was heard before."""
    return Watch(rule=rule, service=service, since=now, checked_at=now)


def look(
    watch: Watch, *, heard_at: datetime | None, after: timedelta, is_clear: bool, now: datetime
) -> tuple[Watch, AbsenceStep]:
    """Look at a service once; return the watch as it goes on, and the news.

    Args:
        watch: as the look before left it.
        heard_at: when its last event or report arrived; None if none ever did.
        after: the silence that its rule allows.
        is_clear: nothing waits to be taken in, so what it sent would have been seen.
        now: the time.
    """
    unseen = now - watch.checked_at
    since = watch.since
    if unseen > UNWATCHED or not is_clear:
        since += max(unseen, timedelta(0))
    since = min(since, now)
    is_heard = heard_at is not None and heard_at > watch.since
    if heard_at is not None and is_heard:
        since = min(max(since, heard_at), now)
    going_on = replace(watch, since=since, checked_at=now)
    if watch.event_id is not None:
        return (going_on, AbsenceStep.CAME_BACK) if is_heard else (going_on, AbsenceStep.NONE)
    is_quiet = is_clear and now - since >= after
    return going_on, AbsenceStep.WENT_QUIET if is_quiet else AbsenceStep.NONE


def services_of(patterns: Iterable[str], known: Iterable[str]) -> list[str]:
    """Return the services that a rule watches: those it names, and the known ones like its patterns."""
    asked = list(patterns)
    named = {pattern for pattern in asked if not _WILDCARDS & set(pattern)}
    like = sorted(one for one in known if any(fnmatchcase(one, pattern) for pattern in asked))
    return sorted(named | set(like[:SERVICES_MAX]))


def absence_event_id(watch: Watch) -> str:
    """Make the event's id of the absence: told again after a crash, it is the same."""
    text = f"{CODE}\n{watch.rule}\n{watch.service}\n{watch.since.isoformat()}"
    digest = base64.b32encode(hashlib.sha256(text.encode()).digest()).decode().lower()
    return f"error_{watch.since:%Y%m%d}_{digest[:16]}"
