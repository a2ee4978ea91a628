"""How many messages a receiver gets, decided from values: nothing is dropped, the most severe go first."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.tools.notification import NOON

from faultwire_consumer.domain.incident import Status
from faultwire_consumer.domain.notification import NotificationKind, NotificationReason
from faultwire_consumer.domain.sending import StageReason
from faultwire_consumer.notify.pace import (
    MINUTE,
    SINGLE_MAX,
    Paced,
    pace_again,
    pace_gathered,
    pace_urgent,
)
from faultwire_consumer.store.outbox.claim import Due
from faultwire_consumer.store.outbox.recent import RecentlySent
from faultwire_shared.event import ErrorSeverity

CALM = RecentlySent(0, None)
NEW, GROWTH, REGRESSED = NotificationReason.NEW, NotificationReason.GROWTH, NotificationReason.REGRESSED
_ids = count(1)


def due(incident: int | None = None, reason: NotificationReason = NEW, **fields: Any) -> Due:
    """A waiting notification of an incident, another one's unless given; fields given replace."""
    number = next(_ids)
    given: dict[str, Any] = {
        "id": number,
        "idempotency_key": f"key-{number}",
        "rule": "critical",
        "kind": NotificationKind.INCIDENT,
        "reason": reason,
        "severity": ErrorSeverity.CRITICAL,
        "incident_id": incident or 10_000 + number,
        "episode": 1,
        "attempts": 0,
        "attempted_at": None,
        "created_at": NOON,
        "due_at": NOON,
        "state_reason": None,
        "remind_seconds": None,
        "status": Status.OPEN,
        "current_episode": 1,
    }
    return Due(**given | fields)


def sent(paced: Paced) -> list[list[int]]:
    """The ids in each message that goes out."""
    return [[one.id for one in group.members] for group in paced.groups]


def holds(paced: Paced) -> list[tuple[int, datetime, StageReason]]:
    return [(one.id, until, reason) for one, until, reason in paced.held]


def test_ten_go_one_by_one_and_the_rest_in_one_summary_the_most_severe_first() -> None:
    waiting = [due() for _ in range(11)]
    high = [due(severity=ErrorSeverity.HIGH) for _ in range(3)]
    paced = pace_urgent([*waiting, *high], CALM, now=NOON)
    assert sent(paced)[:SINGLE_MAX] == [[one.id] for one in waiting[:SINGLE_MAX]]
    assert sent(paced)[SINGLE_MAX:] == [[waiting[-1].id, *(one.id for one in high)]]
    assert paced.groups[-1].reason is StageReason.THROTTLED


def test_a_second_summary_waits_until_a_minute_after_the_first() -> None:
    recent = RecentlySent(SINGLE_MAX, NOON - timedelta(seconds=20))
    one = due()
    paced = pace_urgent([one], recent, now=NOON)
    assert holds(paced) == [(one.id, NOON + timedelta(seconds=40), StageReason.THROTTLED)]
    assert not paced.groups


def test_changes_of_state_have_ten_of_their_own_and_no_more() -> None:
    changes = [due(reason=REGRESSED) for _ in range(12)]
    paced = pace_urgent(changes, RecentlySent(SINGLE_MAX, None), now=NOON)
    assert sent(paced) == [*([one.id] for one in changes[:10]), [one.id for one in changes[10:]]]
    full = RecentlySent(2 * SINGLE_MAX, NOON, changes=SINGLE_MAX)
    assert len(pace_urgent(changes, full, now=NOON).held) == 12


def test_what_a_rule_says_of_one_incident_at_once_is_one_message() -> None:
    new, ten, hundred = due(1), due(1, GROWTH), due(1, GROWTH)
    another = due(1, GROWTH, rule="another")
    paced = pace_urgent([new, ten, hundred, another], CALM, now=NOON)
    assert sent(paced) == [[new.id, hundred.id, ten.id], [another.id]]
    assert paced.groups[0].reason is StageReason.GROWING
    assert not paced.groups[0].is_summary


def test_of_growth_that_waits_the_latest_is_sent_and_carries_the_earlier() -> None:
    ten, hundred = due(1, GROWTH), due(1, GROWTH)
    assert sent(pace_urgent([ten, hundred], CALM, now=NOON)) == [[hundred.id, ten.id]]


def test_growth_waits_until_a_minute_after_its_receiver_was_told_of_the_incident() -> None:
    grown, other = due(1, GROWTH), due(2, GROWTH)
    told_at = NOON - timedelta(seconds=4)
    paced = pace_urgent([grown, other], RecentlySent(1, None, told={1: told_at}), now=NOON)
    assert holds(paced) == [(grown.id, told_at + MINUTE, StageReason.GROWING)]
    assert sent(paced) == [[other.id]]
    paced = pace_urgent([grown], RecentlySent(1, None, told={1: told_at}), now=told_at + MINUTE)
    assert sent(paced) == [[grown.id]]


def test_a_change_of_state_is_sent_though_its_receiver_was_just_told_of_the_incident() -> None:
    recent = RecentlySent(1, None, told={1: NOON})
    assert sent(pace_urgent([due(1, GROWTH), back := due(1, REGRESSED)], recent, now=NOON))[0][0] == back.id


def test_a_summary_that_is_being_filled_takes_in_what_came_since() -> None:
    opened, other = due(kind=NotificationKind.SUMMARY), due(kind=NotificationKind.SUMMARY)
    late = [due() for _ in range(3)]
    recent = RecentlySent(SINGLE_MAX, None)
    paced = pace_urgent([opened, other, *late], recent, now=NOON)
    assert sent(paced) == [[opened.id, *(one.id for one in late)], [other.id]]


def test_each_rule_s_gathered_are_one_message_and_eleven_messages_wait_for_a_minute() -> None:
    gathered = [[due(), due()] for _ in range(SINGLE_MAX + 1)]
    paced = pace_gathered(gathered, RecentlySent(0, None), now=NOON)
    assert sent(paced) == [[a.id, b.id] for a, b in gathered[:SINGLE_MAX]]
    assert {until for _, until, _ in holds(paced)} == {NOON + MINUTE}
    recent = RecentlySent(SINGLE_MAX, None, last_at=NOON - timedelta(seconds=10))
    paced = pace_gathered(gathered[:1], recent, now=NOON)
    assert {until for _, until, _ in holds(paced)} == {NOON + timedelta(seconds=50)}


def test_what_is_not_due_yet_keeps_its_time_when_its_rule_has_to_wait() -> None:
    ready, later = due(), due(due_at=NOON + timedelta(seconds=90))
    paced = pace_gathered([[ready, later]], RecentlySent(SINGLE_MAX, None, last_at=NOON), now=NOON)
    assert [one for one, *_ in holds(paced)] == [ready.id]


def test_a_receiver_that_is_back_gets_ten_a_minute_of_what_failed_each_as_it_was() -> None:
    failed = [due(attempts=3) for _ in range(15)]
    paced = pace_again(failed, CALM, going=4, now=NOON)
    assert sent(paced) == [[one.id] for one in failed[:6]]
    assert {until for _, until, _ in holds(paced)} == {NOON + MINUTE}


def test_new_ones_never_starve_those_that_failed_nor_what_somebody_asked_for() -> None:
    failed, asked = [due(attempts=3) for _ in range(5)], due(attempts=9, resent_at=NOON)
    summary = due(attempts=2, kind=NotificationKind.SUMMARY)
    paced = pace_again([*failed, asked, summary], RecentlySent(SINGLE_MAX, NOON), going=3, now=NOON)
    assert sent(paced) == [[failed[0].id], [failed[1].id], [asked.id], [summary.id]]
    full = RecentlySent(SINGLE_MAX, NOON, retried=2)
    assert sent(pace_again(failed, full, going=0, now=NOON)) == []


@given(
    st.lists(
        st.tuples(
            st.integers(1, 6), st.sampled_from([NEW, GROWTH, REGRESSED]), st.sampled_from(ErrorSeverity)
        )
    ),
    st.integers(0, 25),
    st.sampled_from([None, NOON - timedelta(seconds=10)]),
)
def test_nothing_is_dropped_and_nothing_is_told_twice(
    drawn: list[tuple[int, NotificationReason, ErrorSeverity]], single: int, summary_at: datetime | None
) -> None:
    waiting = [due(incident, reason, severity=severity) for incident, reason, severity in drawn]
    waiting.sort(key=lambda one: (-one.severity.rank, one.id))
    recent = RecentlySent(single, summary_at, changes=min(single, 3), told={1: NOON - timedelta(seconds=1)})
    for paced in (
        pace_urgent(waiting, recent, now=NOON),
        pace_gathered([waiting] if waiting else [], recent, now=NOON),
    ):
        assert sorted(_all(paced)) == sorted(one.id for one in waiting)
        assert len([group for group in paced.groups if not group.is_summary]) <= 2 * SINGLE_MAX


def _all(paced: Paced) -> Sequence[int]:
    return [*(number for message in sent(paced) for number in message), *(one for one, *_ in holds(paced))]
