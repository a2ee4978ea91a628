"""Whether a service is missed: by its silence, and only by the part of it that was watched."""

from datetime import UTC, datetime, timedelta

import pytest

from faultwire_consumer.domain.telling.absence import (
    AbsenceStep,
    Watch,
    absence_event_id,
    begin,
    look,
    services_of,
)

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
AFTER = 30 * MINUTE


def walk(watch: Watch, minutes: int, *, heard_at: datetime | None = None) -> tuple[Watch, list[int]]:
    """Look once a minute; the minutes at which it went quiet or came back."""
    news = []
    for minute in range(1, minutes + 1):
        now = watch.checked_at + MINUTE
        watch, step = look(watch, heard_at=heard_at, after=AFTER, is_clear=True, now=now)
        if step is not AbsenceStep.NONE:
            news.append(minute)
    return watch, news


def test_a_service_that_was_never_seen_has_the_whole_time_from_the_first_look() -> None:
    _, news = walk(begin("a", "billing", NOON), 30)
    assert news == [30]


def test_time_counts_from_when_it_was_heard_last() -> None:
    _, news = walk(begin("a", "billing", NOON), 40, heard_at=NOON + 5 * MINUTE)
    assert news == [35, 36, 37, 38, 39, 40]


def test_an_absence_that_was_told_is_told_once_and_ends_when_it_is_heard() -> None:
    watch = Watch(rule="a", service="billing", since=NOON, checked_at=NOON + AFTER, event_id="e")
    watch, news = walk(watch, 100)
    assert news == []
    _, step = look(
        watch, heard_at=NOON + 99 * MINUTE, after=AFTER, is_clear=True, now=watch.checked_at + MINUTE
    )
    assert step is AbsenceStep.CAME_BACK


@pytest.mark.parametrize("hours", [1, 24 * 30])
def test_what_nobody_watched_makes_nobody_absent(hours: int) -> None:
    watch, _ = walk(begin("a", "billing", NOON), 20)
    later = watch.checked_at + timedelta(hours=hours)
    watch, step = look(watch, heard_at=None, after=AFTER, is_clear=True, now=later)
    assert step is AbsenceStep.NONE
    _, news = walk(watch, 10)
    assert news == [10]


def test_while_something_waits_to_be_taken_in_nobody_is_missed() -> None:
    watch = begin("a", "billing", NOON)
    for _ in range(100):
        now = watch.checked_at + MINUTE
        watch, step = look(watch, heard_at=None, after=AFTER, is_clear=False, now=now)
        assert step is AbsenceStep.NONE
    _, news = walk(watch, 30)
    assert news == [30]


def test_a_clock_that_is_set_back_makes_nobody_absent_before_the_time() -> None:
    watch, _ = walk(begin("a", "billing", NOON), 20)
    watch, step = look(watch, heard_at=None, after=AFTER, is_clear=True, now=NOON - timedelta(hours=1))
    assert (step, watch.since) == (AbsenceStep.NONE, NOON - timedelta(hours=1))


def test_a_rule_watches_what_it_names_and_what_is_like_its_patterns() -> None:
    assert services_of(["billing", "shop-*"], ["shop-1", "shop-2", "mail"]) == ["billing", "shop-1", "shop-2"]


def test_the_same_absence_has_the_same_event_in_every_worker_and_another_has_another() -> None:
    watch = begin("a", "billing", NOON)
    later = Watch(rule="a", service="billing", since=NOON + MINUTE, checked_at=NOON)
    assert absence_event_id(watch) == absence_event_id(begin("a", "billing", NOON))
    assert absence_event_id(watch) != absence_event_id(later)
