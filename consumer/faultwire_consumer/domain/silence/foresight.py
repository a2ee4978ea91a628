"""A look at what a silence would have hidden of late, before it is made. Pure."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from faultwire_consumer.domain.rules import Facts
from faultwire_consumer.domain.silence.draft import SilenceDraft
from faultwire_consumer.domain.silence.matcher import conditions_of
from faultwire_consumer.domain.silence.silence import Silence, SilenceVerdict, judge

LOOKED_BACK: Final = timedelta(days=1)
NOTIFICATIONS_MAX: Final = 2_000
"""Notifications that are looked at, the newest first."""


class MadeNotification(Struct, frozen=True, kw_only=True):
    """A notification that was made, sent or not."""

    incident_id: int
    created_at: datetime
    facts: Facts


class Foresight(Struct, frozen=True, kw_only=True):
    """The effect that a silence would have had."""

    since: datetime
    """Notifications from then on were looked at; of very many, the newest alone."""
    looked_at: int
    notifications: int
    """Those that it would have hidden."""
    incidents: int
    """Of as many incidents."""
    spared: int
    """Critical ones that match, and would have gone out."""


def foresee(draft: SilenceDraft, made: Iterable[MadeNotification], *, now: datetime) -> Foresight:
    """Say what a silence without faults would have hidden, had it begun before all of them."""
    since = now - LOOKED_BACK
    silence = Silence(
        id=0,
        where=conditions_of(draft.where),
        starts_at=since,
        ends_at=now + LOOKED_BACK,
        weekly=draft.weekly,
        also_critical=draft.also_critical,
    )
    looked = [(one, judge(silence, one.facts, one.created_at)) for one in made if one.created_at >= since]
    hidden = [one for one, verdict in looked if verdict is SilenceVerdict.HIDES]
    return Foresight(
        since=since,
        looked_at=len(looked),
        notifications=len(hidden),
        incidents=len({one.incident_id for one in hidden}),
        spared=sum(verdict is SilenceVerdict.SPARES_CRITICAL for _, verdict in looked),
    )


def describe_foresight(foresight: Foresight) -> str:
    """Say it in one sentence."""
    if not foresight.looked_at:
        return "No notification was made in the last day, so there is nothing to compare it with."
    hidden = (
        f"{foresight.notifications:,} of the {_counted(foresight.looked_at, 'notification')} of the last day"
    )
    spared = f"; {foresight.spared:,} critical besides would go out" if foresight.spared else ""
    return f"It would have hidden {hidden}, of {_counted(foresight.incidents, 'incident')}{spared}."


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
