"""How an incident's status changes, as pure decisions."""

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tools.incident import NOON, touched

from faultwire_consumer.domain.incident import (
    WORKER,
    NotPossible,
    Status,
    Transition,
    TransitionReason,
    Verb,
    decide,
    judge,
)
from faultwire_shared.event import ErrorSeverity

NOW = NOON


def test_the_first_sight_opens_and_names_its_event() -> None:
    opened = judge(touched(first_sight=True), now=NOW)
    assert opened is not None
    assert (opened.reason, opened.before, opened.after) == (TransitionReason.OPENED, None, Status.OPEN)
    assert (opened.actor, opened.event_id, opened.episode) == (WORKER, "error_20261123_abcdefgh", 1)


def test_more_of_an_open_incident_changes_nothing() -> None:
    assert judge(touched(severity=ErrorSeverity.CRITICAL), now=NOW) is None


@given(st.timedeltas(min_value=timedelta(days=-40), max_value=timedelta(days=40)), st.datetimes())
def test_a_resolved_incident_regresses_exactly_by_what_occurred_after_it(
    later: timedelta, arrived: datetime
) -> None:
    found = judge(
        touched(status=Status.RESOLVED, resolved_at=NOW, newest_at=NOW + later),
        now=arrived.replace(tzinfo=UTC),
    )
    assert (found is not None) == (later > timedelta(0))
    if found is not None:
        assert (found.reason, found.episode) == (TransitionReason.REGRESSED, 2)
        assert found.resolved_at is None


@pytest.mark.parametrize(("before", "after"), list(product(ErrorSeverity, repeat=2)))
def test_an_acknowledge_ends_with_a_rise_of_severity_and_only_then(
    before: ErrorSeverity, after: ErrorSeverity
) -> None:
    found = judge(touched(status=Status.ACKNOWLEDGED, severity_before=before, severity=after), now=NOW)
    assert (found is not None) == (after.rank > before.rank)
    assert found is None or (found.after, found.episode) == (Status.OPEN, 1)


@pytest.mark.parametrize(
    ("verb", "status", "after"),
    [
        (Verb.ACKNOWLEDGE, Status.OPEN, Status.ACKNOWLEDGED),
        (Verb.ACKNOWLEDGE, Status.ACKNOWLEDGED, None),
        (Verb.ACKNOWLEDGE, Status.RESOLVED, NotPossible),
        (Verb.RESOLVE, Status.OPEN, Status.RESOLVED),
        (Verb.RESOLVE, Status.ACKNOWLEDGED, Status.RESOLVED),
        (Verb.RESOLVE, Status.RESOLVED, None),
        (Verb.REOPEN, Status.RESOLVED, Status.OPEN),
        (Verb.REOPEN, Status.ACKNOWLEDGED, Status.OPEN),
        (Verb.REOPEN, Status.OPEN, None),
    ],
)
def test_a_verb_moves_an_incident_where_it_can_and_says_why_where_it_cannot(
    verb: Verb, status: Status, after: Status | type[NotPossible] | None
) -> None:
    found = decide(verb, incident_id=7, status=status, episode=3, actor="bob", now=NOW)
    if after is NotPossible:
        assert isinstance(found, NotPossible)
        assert "reopen" in found.why
    elif after is None:
        assert found is None
    else:
        assert isinstance(found, Transition)
        assert (found.after, found.episode, found.actor) == (after, 3, "bob")
        assert found.resolved_at == (NOW if after is Status.RESOLVED else None)
