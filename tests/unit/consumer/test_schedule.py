"""When digests are due, through both changes of the clock."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultwire_consumer.domain.schedule import Schedule

BERLIN = ZoneInfo("Europe/Berlin")

seconds = (datetime(2060, 1, 1, tzinfo=UTC) - datetime(1990, 1, 1, tzinfo=UTC)).total_seconds()
moments = st.floats(0, seconds).map(lambda after: datetime(1990, 1, 1, tzinfo=UTC) + timedelta(seconds=after))
schedules = st.builds(
    Schedule,
    st.integers(0, 23),
    st.sampled_from(sorted(available_timezones())).map(ZoneInfo),
    st.none() | st.integers(0, 6),
)

pytestmark = pytest.mark.may_block("zones are files")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_nine_o_clock_is_by_the_wall_on_both_days_on_which_the_clock_changes() -> None:
    daily = Schedule(9, BERLIN)
    assert daily.next_after(utc("2026-03-28T09:00")) == utc("2026-03-29T07:00")  # 23 hours after the last
    assert daily.next_after(utc("2026-10-24T09:00")) == utc("2026-10-25T08:00")  # 25 hours after the last


def test_an_hour_that_is_left_out_still_comes_and_one_that_comes_twice_counts_once() -> None:
    daily = Schedule(2, BERLIN)
    assert daily.next_after(utc("2026-03-28T12:00")) == utc(
        "2026-03-29T01:00"
    )  # 03:00, for there is no 02:00
    assert daily.next_after(utc("2026-03-29T01:00")) == utc("2026-03-30T00:00")
    assert daily.next_after(utc("2026-10-24T12:00")) == utc("2026-10-25T00:00")
    assert daily.next_after(utc("2026-10-25T00:00")) == utc("2026-10-26T01:00")


def test_monday_is_a_week_after_monday() -> None:
    weekly = Schedule(9, BERLIN, weekday=0)
    assert weekly.next_after(utc("2026-10-19T07:00")) == utc("2026-10-26T08:00")
    assert weekly.last_until(utc("2026-10-26T07:59")) == utc("2026-10-19T07:00")
    assert weekly.last_until(utc("2026-10-26T08:00")) == utc("2026-10-26T08:00")


@given(schedules, moments)
def test_no_moment_is_outside_every_period_or_inside_two(schedule: Schedule, moment: datetime) -> None:
    last, following = schedule.last_until(moment), schedule.next_after(moment)
    assert last <= moment < following
    assert schedule.next_after(last) == following
    assert schedule.last_until(following) == following
    assert schedule.last_until(following - timedelta(microseconds=1)) == last
