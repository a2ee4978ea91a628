"""Notifications as the page shows them: lines of a list, and all that happened to one."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from faultwire_consumer.domain.incident_name import incident_name
from faultwire_consumer.store.outbox.queries import (
    GroupedIncident,
    SendAttempt,
    StageRow,
    StoredNotification,
    TellingFacts,
)
from faultwire_consumer.web.page.told.words import StateWords, reason_words, stage_words, state_words

TOLD_SHOWN: Final = 100
_NO_ANSWER: Final = "no answer yet; it runs, or its worker died"


class ToldRow(Struct, frozen=True, kw_only=True):
    """A notification as a line."""

    alert: StoredNotification
    incident: str | None
    title: str
    others: int
    """Incidents that it tells of besides."""
    because: str
    state: StateWords


class StageLine(Struct, frozen=True, kw_only=True):
    """A stage's decision, in words."""

    at: datetime
    stage: str
    decision: str
    why: str
    detail: str
    stops: bool
    """It did not simply let the notification pass."""


class TryLine(Struct, frozen=True, kw_only=True):
    """An attempt in words."""

    number: int
    started_at: datetime
    seconds: float | None
    """None while there is no end of it."""
    tone: str
    outcome: str
    why: str


class ToldIncident(Struct, frozen=True, kw_only=True):
    """An incident that a summary or digest tells of."""

    name: str
    because: str
    events: int | None
    alert_id: int | None


def told_rows(
    rows: Iterable[StoredNotification], facts: TellingFacts, *, now: datetime
) -> tuple[ToldRow, ...]:
    """Return notifications as lines."""
    return tuple(_row(one, facts, now) for one in rows)


def _row(alert: StoredNotification, facts: TellingFacts, now: datetime) -> ToldRow:
    own = alert.incident_id
    return ToldRow(
        alert=alert,
        incident=None if own is None else incident_name(own),
        title="" if own is None else facts.titles.get(own, ""),
        others=facts.incidents.get(alert.id, 0),
        because=reason_words(alert.reason),
        state=state_words(alert, failure=facts.failures.get(alert.id, ""), now=now),
    )


def stage_lines(stages: Iterable[StageRow]) -> tuple[StageLine, ...]:
    """Return what each stage decided, in words."""
    return tuple(
        StageLine(
            at=one.at,
            stage=one.stage.replace("_", " "),
            decision=one.decision.replace("_", " "),
            why=stage_words(one.reason),
            detail=one.detail,
            stops=one.decision != "passed",
        )
        for one in stages
    )


def try_lines(tries: Iterable[SendAttempt]) -> tuple[TryLine, ...]:
    """Return each attempt in words."""
    return tuple(_try(one) for one in tries)


def _try(one: SendAttempt) -> TryLine:
    tones = {"sent": "ok", "permanent": "no"}
    return TryLine(
        number=one.number,
        started_at=one.started_at,
        seconds=None if one.ended_at is None else (one.ended_at - one.started_at).total_seconds(),
        tone=tones.get(one.outcome or "", "soft"),
        outcome=one.outcome or _NO_ANSWER,
        why=", ".join(text for text in ((one.reason or "").replace("_", " "), one.detail) if text),
    )


def told_lines(told: Sequence[GroupedIncident]) -> tuple[tuple[ToldIncident, ...], int]:
    """Return the incidents that a notification tells of, and how many more there are than are shown."""
    shown = tuple(
        ToldIncident(
            name=incident_name(one.incident_id),
            because=reason_words(one.reason),
            events=one.events,
            alert_id=one.notification_id,
        )
        for one in told[:TOLD_SHOWN]
    )
    return shown, len(told) - len(shown)
