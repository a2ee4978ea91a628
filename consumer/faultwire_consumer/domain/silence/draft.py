"""A silence as it is asked for: what it may be, and what is wrong with one that cannot be. Pure."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from faultwire_consumer.domain.rules import PATTERNS
from faultwire_consumer.domain.silence.matcher import VALUE_CHARACTERS, VALUES_MAX, Matchers
from faultwire_consumer.domain.silence.weekly import WeeklyWindow, is_clock
from faultwire_consumer.domain.silence.zone import ZONES

SECONDS_MIN: Final = 60
SECONDS_MAX: Final = 366 * 86400
WINDOWS_MAX: Final = 7
COMMENT_CHARACTERS: Final = 500
_ZONE: Final = "a zone of the IANA database, as Europe/Berlin"


class SilenceDraft(Struct, frozen=True, kw_only=True):
    """A silence that somebody wants."""

    where: Matchers
    comment: str
    starts_at: datetime | None = None
    """None, or a time that is past: now."""
    ends_at: datetime | None = None
    for_seconds: int | None = None
    """Its length from its start, in the place of an end."""
    weekly: tuple[WeeklyWindow, ...] = ()
    also_critical: bool = False


class SilenceFault(Struct, frozen=True):
    """A field that cannot be, and what it has to be."""

    field: str
    message: str


def check_draft(draft: SilenceDraft, *, now: datetime) -> list[SilenceFault]:
    """List everything that is wrong with a silence that somebody wants."""
    return [
        *_matcher_faults(draft.where),
        *_time_faults(draft, now),
        *_window_faults(draft.weekly),
        *_comment_faults(draft),
    ]


def times_of(draft: SilenceDraft, *, now: datetime) -> tuple[datetime, datetime]:
    """Return start and end of a silence that has no faults."""
    start = now if draft.starts_at is None else max(now, draft.starts_at)
    if draft.ends_at is not None:
        return start, draft.ends_at
    return start, start + timedelta(seconds=draft.for_seconds or 0)


def _comment_faults(draft: SilenceDraft) -> Iterator[SilenceFault]:
    comment = draft.comment.strip()
    if not (comment.isprintable() and 1 <= len(comment) <= COMMENT_CHARACTERS):
        yield SilenceFault("comment", f"why, in 1 to {COMMENT_CHARACTERS} printable characters")


def _matcher_faults(where: Matchers) -> Iterator[SilenceFault]:
    named = [(name, getattr(where, name)) for name in ("severity", "category", *PATTERNS)]
    given = [*named, *((f"tag {name}"[:50], values) for name, values in where.tags.items())]
    if not any(values for _, values in given):
        yield SilenceFault("where", "at least one matcher; service * hides everything on purpose")
    if len(where.tags) > VALUES_MAX or not all(_are_texts([name]) for name in where.tags):
        yield SilenceFault(
            "tags", f"at most {VALUES_MAX}, each named by 1 to {VALUE_CHARACTERS} printable characters"
        )
        return
    for name, values in given:
        if not _are_texts(values) or (name not in dict(named) and not values):
            yield SilenceFault(
                name, f"at most {VALUES_MAX} values of 1 to {VALUE_CHARACTERS} printable characters"
            )


def _are_texts(values: Iterable[str]) -> bool:
    texts = list(values)
    return len(texts) <= VALUES_MAX and all(
        one.isprintable() and len(one.strip()) >= 1 and len(one) <= VALUE_CHARACTERS for one in texts
    )


def _time_faults(draft: SilenceDraft, now: datetime) -> Iterator[SilenceFault]:
    given = [("starts_at", draft.starts_at), ("ends_at", draft.ends_at)]
    naive = [name for name, moment in given if moment is not None and moment.tzinfo is None]
    if naive:
        yield from (SilenceFault(name, "a time with its zone, as 2026-11-23T10:00:00Z") for name in naive)
        return
    if (draft.ends_at is None) == (draft.for_seconds is None):
        yield SilenceFault("ends_at", "an end, or how many seconds it lasts: one of the two")
        return
    if draft.for_seconds is not None and not SECONDS_MIN <= draft.for_seconds <= SECONDS_MAX:
        yield SilenceFault("for_seconds", f"from {SECONDS_MIN} to {SECONDS_MAX} seconds")
        return
    latest = timedelta(seconds=SECONDS_MAX)
    if draft.starts_at is not None and draft.starts_at > now + latest:
        yield SilenceFault("starts_at", "a time in the year that follows now")
        return
    start, end = times_of(draft, now=now)
    if not start < end <= start + latest:
        yield SilenceFault("ends_at", "a time after its start and after now, at most a year later")


def _window_faults(weekly: tuple[WeeklyWindow, ...]) -> Iterator[SilenceFault]:
    if len(weekly) > WINDOWS_MAX:
        yield SilenceFault("weekly", f"at most {WINDOWS_MAX} windows")
        return
    for window in weekly:
        if window.zone not in ZONES:
            yield SilenceFault("zone", _ZONE)
        for name, clock in (("start", window.start), ("end", window.end)):
            if not is_clock(clock):
                yield SilenceFault(name, "a time of the clock from 00:00 to 23:59")
