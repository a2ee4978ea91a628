"""Histories read back into the verbs that wrote them, and into the state that they lead to."""

from datetime import UTC, datetime
from typing import Any

import pytest

from faultwire_consumer.domain.incident import IncidentState, Status, Transition, TransitionReason
from faultwire_consumer.domain.incident_terms import NO_TERMS
from faultwire_consumer.domain.lifecycle.arguments import (
    AcknowledgeArguments,
    Arguments,
    AssignArguments,
    MergeArguments,
    MuteArguments,
    ReopenArguments,
    ResolveArguments,
    UnassignArguments,
    UnmuteArguments,
)
from faultwire_consumer.domain.lifecycle.decision import Act, decide, grow_quiet
from faultwire_consumer.domain.lifecycle.retelling import (
    HistoryPassage,
    QuietDays,
    arguments_in,
    quiet_days_in,
    standing_after,
)
from faultwire_shared.event import ErrorSeverity

NOW = datetime(2026, 11, 23, 12, 0, 7, 123456, tzinfo=UTC)


def incident(**fields: Any) -> IncidentState:
    usual: dict[str, Any] = {
        "incident_id": 1, "status": Status.OPEN, "episode": 1, "service": "billing",
        "severity": ErrorSeverity.HIGH, "count": 5, "resolved_at": None, "assignee": None, "terms": NO_TERMS,
        "version": 1, "merged_into": None,
    }  # fmt: skip
    return IncidentState(**usual | fields)


def passage_of(transition: Transition) -> HistoryPassage:
    return HistoryPassage(
        incident_id=transition.incident_id,
        at=transition.at,
        actor=transition.actor,
        reason=transition.reason.value,
        after=transition.after.value,
        detail=transition.detail,
        note=transition.note,
    )


def decided(arguments: Arguments, state: IncidentState, **more: Any) -> Transition:
    decision = decide(Act(arguments=arguments, actor="ana", at=NOW, **more), state)
    assert isinstance(decision, Transition)
    return decision


@pytest.mark.parametrize(
    "arguments",
    [
        AcknowledgeArguments(),
        AcknowledgeArguments(for_seconds=3600),
        AcknowledgeArguments(until=datetime(2026, 11, 24, 9, 30, tzinfo=UTC)),
        ResolveArguments(),
        ResolveArguments(release="2.4.1"),
        ResolveArguments(release="2.4.1", environment="production"),
        ResolveArguments(environment="staging"),
        MuteArguments(for_seconds=600),
        MuteArguments(until=datetime(2026, 11, 24, 9, 30, 1, tzinfo=UTC)),
        MuteArguments(count=1500),
        MuteArguments(count=3, within_seconds=7200),
        MuteArguments(for_ever=True, reason="known"),
        AssignArguments(to="ben"),
        MergeArguments(into="INC-7"),
    ],
)
def test_what_a_verb_wrote_is_read_as_a_verb_that_does_the_same(arguments: Arguments) -> None:
    first = decided(arguments, incident())
    again = arguments_in(passage_of(first))
    assert again is not None
    second = decided(again, incident(), note=first.note)
    assert (second.after, second.terms, second.detail) == (first.after, first.terms, first.detail)


def test_the_next_release_is_asked_for_again() -> None:
    resolve, mute = ResolveArguments(next_release=True), MuteArguments(next_release=True)
    for arguments in (resolve, mute):
        written = decided(arguments, incident(), newest_release="2.4.1")
        again = arguments_in(passage_of(written))
        assert isinstance(again, ResolveArguments | MuteArguments)
        assert again.next_release


@pytest.mark.parametrize(
    ("reason", "arguments"),
    [
        (TransitionReason.REOPENED, ReopenArguments()),
        (TransitionReason.UNMUTED, UnmuteArguments()),
        (TransitionReason.UNASSIGNED, UnassignArguments()),
        (TransitionReason.OPENED, None),
        (TransitionReason.REGRESSED, None),
        (TransitionReason.COMMENTED, None),
    ],
)
def test_plain_verbs_are_known_and_what_the_worker_did_is_none(
    reason: TransitionReason, arguments: Arguments | None
) -> None:
    passage = HistoryPassage(
        incident_id=1, at=NOW, actor="ana", reason=reason, after="open", detail="", note="x"
    )
    assert arguments_in(passage) == arguments


def test_a_rule_s_quiet_days_are_read_with_its_name() -> None:
    decision = grow_quiet(incident(), rule="odd rule", days=14, now=NOW)
    assert decision is not None
    assert quiet_days_in(passage_of(decision)) == QuietDays("odd rule", 14)


@pytest.mark.parametrize(
    "verbs",
    [
        [AcknowledgeArguments(for_seconds=3600)],
        [MuteArguments(for_seconds=600), AcknowledgeArguments()],
        [MuteArguments(count=3), ResolveArguments(release="2.4.1")],
        [ResolveArguments(), ReopenArguments()],
        [AssignArguments(to="ben"), MuteArguments(count=9, within_seconds=60), UnmuteArguments()],
    ],
)
def test_a_history_leads_to_the_state_that_its_verbs_led_to(verbs: list[Arguments]) -> None:
    state, passages = incident(), []
    for arguments in verbs:
        made = decided(arguments, state)
        passages.append(passage_of(made))
        assignee = made.assignment.to if made.assignment is not None else state.assignee
        state = incident(status=made.after, resolved_at=made.resolved_at, terms=made.terms, assignee=assignee)
    found = standing_after(passages, count=5)
    assert (found.status, found.resolved_at, found.terms, found.assignee) == (
        state.status,
        state.resolved_at,
        state.terms,
        state.assignee,
    )


def test_a_time_that_cannot_be_read_is_none() -> None:
    passage = HistoryPassage(
        incident_id=1, at=NOW, actor="a", reason="acknowledged", after="acknowledged",
        detail="until 2026-99-99T00:00:00Z", note="",
    )  # fmt: skip
    assert arguments_in(passage) == AcknowledgeArguments()
