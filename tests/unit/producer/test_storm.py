"""A burst becomes few events with an exact count; what is new, rarer or worse is never held back."""

from datetime import UTC, datetime, timedelta

import pytest

from faultwire.pipeline.storm import KEYS, WHOLE_AT_ONCE, WINDOW_SECONDS, WINDOWS, EventRole, Storm
from faultwire.queue.ticket import Ticket
from faultwire_shared.event import COUNT_MAX, ErrorSeverity, Event

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def event(number: int, at: datetime = NOON) -> Event:
    return Event(
        id=f"e{number}", schema_version=1, occurred_at=at, severity=ErrorSeverity.HIGH, service="shop"
    )


class Weather:
    """A storm with the time in a hand."""

    def __init__(self) -> None:
        self.storm = Storm()
        self.now = 0.0
        self.sent: list[Event] = []
        self._number = 0

    def strike(self, key: str = "bug") -> str:
        """One error; the id that its caller is told."""
        at = NOON + timedelta(seconds=self.now)
        admitted = self.storm.admit((key,), at=at, now=self.now)
        if isinstance(admitted, Ticket):
            return admitted.event_id
        self._number += 1
        new = event(self._number, at)
        if admitted is EventRole.WHOLE:
            self.sent.append(new)
            return new.id
        return self.storm.open((key,), new, Ticket(event_id=new.id), now=self.now).event_id

    def pass_seconds(self, seconds: float) -> None:
        self.now += seconds
        self.sent += [window.closed() for window in self.storm.close(self.now)]


@pytest.fixture
def weather() -> Weather:
    return Weather()


def test_the_first_of_a_burst_go_whole(weather: Weather) -> None:
    ids = [weather.strike() for _ in range(WHOLE_AT_ONCE)]
    assert [one.id for one in weather.sent] == ids


def test_what_comes_faster_is_counted_into_one_event_and_told_its_id(weather: Weather) -> None:
    ids = [weather.strike() for _ in range(WHOLE_AT_ONCE + 100)]
    assert len(set(ids[WHOLE_AT_ONCE:])) == 1
    weather.pass_seconds(WINDOW_SECONDS)
    last = weather.sent[-1]
    assert (last.id, last.count) == (ids[-1], 100)
    assert sum(one.count for one in weather.sent) == len(ids)


def test_an_event_that_stands_for_many_says_when_the_first_and_the_last_were(weather: Weather) -> None:
    for _ in range(WHOLE_AT_ONCE + 1):
        weather.strike()
    opened = weather.now
    weather.now += WINDOW_SECONDS / 2
    weather.strike()
    weather.pass_seconds(WINDOW_SECONDS)
    last = weather.sent[-1]
    assert last.first_at == last.occurred_at == NOON + timedelta(seconds=opened)
    assert last.last_at == NOON + timedelta(seconds=opened + WINDOW_SECONDS / 2)


def test_a_window_that_nobody_joined_is_an_ordinary_event(weather: Weather) -> None:
    for _ in range(WHOLE_AT_ONCE + 1):
        weather.strike()
    weather.pass_seconds(WINDOW_SECONDS)
    assert (weather.sent[-1].count, weather.sent[-1].first_at) == (1, None)


def test_an_error_a_second_is_never_collapsed(weather: Weather) -> None:
    for _ in range(100):
        weather.strike()
        weather.pass_seconds(1.0)
    assert len(weather.sent) == 100


def test_another_error_is_not_held_back_by_the_storm(weather: Weather) -> None:
    for _ in range(1_000):
        weather.strike()
    new = weather.strike("another")
    assert weather.sent[-1].id == new


def test_a_storm_of_a_minute_is_a_few_events_a_second(weather: Weather) -> None:
    struck = 0
    while weather.now < 60:
        for _ in range(50):
            weather.strike()
            struck += 1
        weather.pass_seconds(0.01)
    weather.pass_seconds(1)
    assert sum(one.count for one in weather.sent) == struck
    assert len(weather.sent) <= 60 * 3 + WHOLE_AT_ONCE


def test_beyond_so_many_windows_errors_go_whole(weather: Weather) -> None:
    for bug in range(WINDOWS + 10):
        for _ in range(WHOLE_AT_ONCE + 2):
            weather.strike(str(bug))
    assert weather.storm.windows == WINDOWS
    weather.pass_seconds(WINDOW_SECONDS)
    assert sum(one.count for one in weather.sent) == (WINDOWS + 10) * (WHOLE_AT_ONCE + 2)


def test_a_window_outlives_its_forgotten_key_with_nothing_uncounted(weather: Weather) -> None:
    for _ in range(WHOLE_AT_ONCE + 3):
        weather.strike()
    for bug in range(KEYS):
        weather.strike(str(bug))
    ids = [weather.strike() for _ in range(WHOLE_AT_ONCE + 3)]
    weather.pass_seconds(WINDOW_SECONDS)
    ours = [one for one in weather.sent if one.id in ids or one.count > 1]
    assert sum(one.count for one in ours) == 2 * (WHOLE_AT_ONCE + 3) - WHOLE_AT_ONCE


def test_a_window_takes_no_more_than_an_event_can_say(weather: Weather) -> None:
    for _ in range(WHOLE_AT_ONCE + 1):
        weather.strike()
    (window,) = weather.storm._open.values()
    window.count = COUNT_MAX
    weather.strike()
    assert window.count == COUNT_MAX


def test_whoever_comes_second_in_opening_joins(weather: Weather) -> None:
    for _ in range(WHOLE_AT_ONCE):
        weather.strike()
    first, second = Ticket(event_id="first"), Ticket(event_id="second")
    assert weather.storm.open(("bug",), event(1), first, now=0) is first
    assert weather.storm.open(("bug",), event(2), second, now=0) is first
    (window,) = weather.storm.close()
    assert window.closed().count == 2
