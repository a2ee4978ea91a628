"""Every cell of what becomes of a notification: reason, incident's state, what hides it, who heard."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any, Final

import pytest

from faultwire_consumer.domain.incident import Status
from faultwire_consumer.domain.incident_terms import NO_TERMS, Mute, Terms
from faultwire_consumer.domain.notification import RECOVERIES, NotificationKind, NotificationReason
from faultwire_consumer.domain.rules import Conditions
from faultwire_consumer.domain.silence.silence import Silence
from faultwire_consumer.domain.telling.inhibition import Inhibition, Inhibitors, StandingIncident
from faultwire_consumer.domain.telling.recovery import Told
from faultwire_consumer.notify.around import Around
from faultwire_consumer.notify.stages import decide
from faultwire_consumer.store.outbox.claim import Due
from faultwire_consumer.store.outbox.recent import RecentlySent
from faultwire_shared.event import ErrorSeverity

NOW: Final = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
HOUR: Final = timedelta(hours=1)
MUTED: Final = Terms(mute=Mute(at=NOW, reason="known"))

STATES: Final[Mapping[str, Mapping[str, Any]]] = {
    "open": {"status": Status.OPEN},
    "open, muted": {"status": Status.OPEN, "terms": MUTED},
    "acknowledged": {"status": Status.ACKNOWLEDGED},
    "acknowledged, muted": {"status": Status.ACKNOWLEDGED, "terms": MUTED},
    "resolved": {"status": Status.RESOLVED},
    "merged": {"status": Status.OPEN, "merged_into": 9},
    "later episode": {"status": Status.OPEN, "current_episode": 2},
}
_NEWS: Final = "sent muted acknowledged muted resolved merged overtaken"
TABLE: Final = {
    "new": _NEWS,
    "regressed": _NEWS,
    "severity_rose": _NEWS,
    "growth": "sent muted sent muted resolved merged overtaken",
    "threshold": "sent sent sent sent sent sent sent",
    "unmuted": _NEWS,
    "reminder": "sent held-muted held-acknowledged held-muted resolved merged overtaken",
    "escalated": _NEWS,
    "acknowledged": "reopened reopened sent sent resolved reopened overtaken",
    "resolved": "reopened reopened reopened reopened sent reopened overtaken",
}
"""What becomes of a notification for each reason, in each of the states, with nothing around it."""

HIDING: Final = ("nothing", "silence", "inhibition", "both", "silence of critical", "inhibition of critical")
FOLLOWING: Final = {*(reason.value for reason in RECOVERIES), "escalated"}


def cells() -> Iterator[tuple[str, str, str, ErrorSeverity, Told | None]]:
    severities = (ErrorSeverity.HIGH, ErrorSeverity.CRITICAL)
    for reason, state, hiding, severity in product(TABLE, STATES, HIDING, severities):
        for told in Told if reason in FOLLOWING else (None,):
            yield reason, state, hiding, severity, told


def expected(reason: str, state: str, hiding: str, severity: ErrorSeverity, told: Told | None) -> str:
    """What the guide promises of a cell: the state first, then what it follows, then what hides it."""
    outcome = dict(zip(STATES, TABLE[reason].split(), strict=True))[state]
    if outcome != "sent":
        return outcome
    if told in (Told.NO, Told.NOT_YET):
        return "untold" if told is Told.NO else "held-untold"
    is_spared = severity is ErrorSeverity.CRITICAL and not hiding.endswith("critical")
    if hiding == "nothing" or is_spared or reason in {one.value for one in RECOVERIES}:
        return "sent"
    hidden = "inhibited" if hiding.startswith("inhibition") else "silenced"
    return f"held-{hidden}" if reason == "reminder" else hidden


def due_of(reason: str, severity: ErrorSeverity = ErrorSeverity.HIGH, **fields: Any) -> Due:
    given: dict[str, Any] = {
        "id": 1,
        "idempotency_key": "key",
        "rule": "all",
        "kind": NotificationKind.INCIDENT,
        "reason": NotificationReason(reason),
        "severity": severity,
        "incident_id": 1,
        "episode": 0 if reason == "threshold" else 1,
        "attempts": 0,
        "attempted_at": None,
        "created_at": NOW,
        "due_at": NOW,
        "state_reason": None,
        "remind_seconds": None,
        "status": Status.OPEN,
        "current_episode": 1,
        "terms": NO_TERMS,
        "service": "billing",
        "category": "external",
        "code": "CARD_DOWN",
    }
    return Due(**given | fields)


def database(**fields: Any) -> StandingIncident:
    given: dict[str, Any] = {
        "id": 7,
        "severity": ErrorSeverity.HIGH,
        "category": "system",
        "service": "database",
        "code": "DOWN",
        "last_seen_at": NOW,
    }
    return StandingIncident(**given | fields)


def inhibition(**fields: Any) -> Inhibition:
    given: dict[str, Any] = {
        "name": "database",
        "when": Conditions(service=("database",)),
        "mutes": Conditions(service=("bill*",)),
        "seen_within": HOUR,
    }
    return Inhibition(**given | fields)


def around_of(hiding: str, told: Told | None) -> Around:
    also_critical = hiding.endswith("critical")
    silences, inhibitors = [], None
    if hiding.startswith(("silence", "both")):
        silences = [
            Silence(
                id=3,
                where=Conditions(service=("billing",)),
                weekly=(),
                starts_at=NOW - HOUR,
                ends_at=NOW + HOUR,
                also_critical=also_critical,
                author="ana",
                comment="deploy",
            )
        ]
    if hiding.startswith(("inhibition", "both")):
        inhibitors = Inhibitors([inhibition(also_critical=also_critical)], [database()])
    return Around(silences=silences, inhibitors=inhibitors, told={} if told is None else {1: told})


def outcome_of(due: Due, around: Around, now: datetime = NOW) -> str:
    decided = decide([due], RecentlySent(0, None), urgent=True, now=now, around=around)
    if decided.groups:
        return "sent"
    if decided.held:
        return f"held-{decided.held[0][2].reason}"
    return str(decided.stopped[0][2].reason)


@pytest.mark.parametrize("reason", TABLE)
def test_every_cell_of_the_table_is_as_promised(reason: str) -> None:
    mine = [cell for cell in cells() if cell[0] == reason]
    wrong = {
        cell[1:]: (found, wanted)
        for cell in mine
        if (found := outcome_of(due_of(reason, cell[3], **STATES[cell[1]]), around_of(cell[2], cell[4])))
        != (wanted := expected(*cell))
    }
    assert len(mine) >= len(STATES) * len(HIDING) * 2
    assert not wrong


@pytest.mark.parametrize(
    ("known", "fields", "is_stopped"),
    [
        ({}, {}, True),
        ({}, {"id": 1}, False),
        ({"last_seen_at": NOW - HOUR - timedelta(seconds=1)}, {}, False),
        ({"service": "queue"}, {}, False),
        ({}, {"rule": "other"}, False),
        ({}, {"rule": "all"}, True),
        ({}, {"same": ("service",)}, False),
        ({"service": "billing"}, {"when": Conditions(code=("DOWN",)), "same": ("service",)}, True),
        ({}, {"mutes": Conditions(service=("shop",))}, False),
        ({}, {"when": Conditions(service=("database", "billing"))}, False),
    ],
    ids=[
        "another incident explains it",
        "no incident explains itself",
        "one that was not seen for too long explains nothing",
        "one that is unlike what is asked for explains nothing",
        "a rule's own exception stops no other rule's",
        "a rule's own exception stops its own",
        "what has to be the same differs",
        "what has to be the same is",
        "what it does not mute goes out",
        "what could explain others is not stopped by its like",
    ],
)
def test_an_open_incident_explains_what_its_inhibition_says(
    known: Mapping[str, Any], fields: Mapping[str, Any], is_stopped: bool
) -> None:
    standing = database(**{**known, **({"id": 1} if "id" in fields else {})})
    rest = {name: value for name, value in fields.items() if name != "id"}
    inhibitors = Inhibitors([inhibition(**rest)], [standing])
    around = Around(inhibitors=inhibitors)
    assert outcome_of(due_of("new"), around) == ("inhibited" if is_stopped else "sent")


def test_the_trace_of_what_was_stopped_names_the_incident_that_explains_it() -> None:
    around = around_of("inhibition", None)
    decided = decide([due_of("new")], RecentlySent(0, None), urgent=True, now=NOW, around=around)
    ((stage, _, stopped),) = decided.stopped
    assert (stage, stopped.detail) == ("uninhibited", "INC-7")


def test_an_acknowledgement_that_is_over_keeps_no_escalation_back() -> None:
    terms = Terms(acknowledged_until=NOW - timedelta(seconds=1))
    due = due_of("escalated", status=Status.ACKNOWLEDGED, terms=terms)
    assert outcome_of(due, Around(told={1: Told.YES})) == "sent"
