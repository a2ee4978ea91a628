"""What silences hide and when, as pure decisions, through both changes of the clock."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.unit.consumer.test_rules import facts

from faultwire_consumer.domain.rules import Facts
from faultwire_consumer.domain.silence.draft import SECONDS_MAX, SilenceDraft, check_draft, times_of
from faultwire_consumer.domain.silence.matcher import (
    FACT_TAGS_MAX,
    VALUE_CHARACTERS,
    Matchers,
    conditions_of,
    describe_matchers,
    encode_facts,
    encode_matchers,
    read_facts,
    read_matchers,
)
from faultwire_consumer.domain.silence.silence import (
    Silence,
    SilenceState,
    SilenceVerdict,
    changes_at,
    judge,
    silence_over,
    state_of,
)
from faultwire_consumer.domain.silence.weekly import (
    WEEK,
    Weekday,
    WeeklyWindow,
    covers,
    describe_window,
    next_change,
)
from faultwire_shared.event import Category, ErrorSeverity

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)  # a Monday
BERLIN = "Europe/Berlin"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def window(start: str, end: str, *days: Weekday, zone: str = "UTC") -> WeeklyWindow:
    return WeeklyWindow(weekdays=days, start=start, end=end, zone=zone)


ANYTHING = Matchers(service=("*",))


def silence(where: Matchers = ANYTHING, **fields: Any) -> Silence:
    given: dict[str, Any] = {"id": 1, "starts_at": NOW, "ends_at": NOW + timedelta(hours=2)}
    return Silence(where=conditions_of(where), **given | fields)


def draft(**fields: Any) -> SilenceDraft:
    given: dict[str, Any] = {
        "where": Matchers(service=("billing",)),
        "comment": "deploy",
        "for_seconds": 3600,
    }
    return SilenceDraft(**given | fields)


def hidden_minutes(one: WeeklyWindow, day: str) -> int:
    """How many minutes of 24 hours from a moment on the window covers."""
    return sum(covers(one, utc(day) + timedelta(minutes=minute)) for minute in range(24 * 60))


def test_a_silence_is_coming_then_active_then_over_and_ended_when_somebody_ends_it() -> None:
    one = silence()
    assert state_of(one, NOW - timedelta(seconds=1)) is SilenceState.COMING
    assert state_of(one, NOW) is SilenceState.ACTIVE
    assert state_of(one, NOW + timedelta(hours=2)) is SilenceState.OVER
    ended = silence(ended_at=NOW + timedelta(hours=1))
    assert state_of(ended, NOW + timedelta(minutes=59)) is SilenceState.ACTIVE
    assert state_of(ended, NOW + timedelta(hours=1)) is SilenceState.ENDED


@pytest.mark.parametrize(
    ("where", "hides"),
    [
        (Matchers(service=("bill*",)), True),
        (Matchers(service=("shop", "billing")), True),
        (Matchers(service=("shop",)), False),
        (Matchers(severity=(ErrorSeverity.HIGH,)), True),
        (Matchers(severity=(ErrorSeverity.LOW,)), False),
        (Matchers(category=(Category.EXTERNAL,)), True),
        (Matchers(category=(Category.SYSTEM,)), False),
        (Matchers(environment=("prod*",), release=("1.*",), code=("CARD_*",), type=("*Error",)), True),
        (Matchers(environment=("prod*",), release=("2.*",)), False),
        (Matchers(tags={"region": ("eu-*",), "canary": ("true",)}), True),
        (Matchers(tags={"region": ("us-*",)}), False),
        (Matchers(tags={"rack": ("*",)}), False),
    ],
)
def test_every_matcher_must_hold_and_any_of_its_values_will_do(where: Matchers, hides: bool) -> None:
    told = SilenceVerdict.HIDES if hides else SilenceVerdict.DIFFERENT
    assert judge(silence(where), facts(), NOW) is told


def test_a_critical_notification_is_spared_unless_the_silence_says_that_it_hides_those() -> None:
    critical = facts(severity=ErrorSeverity.CRITICAL)
    assert judge(silence(), critical, NOW) is SilenceVerdict.SPARES_CRITICAL
    assert judge(silence(also_critical=True), critical, NOW) is SilenceVerdict.HIDES
    by_severity = silence(Matchers(severity=(ErrorSeverity.CRITICAL,)))
    assert judge(by_severity, critical, NOW) is SilenceVerdict.SPARES_CRITICAL


def test_the_first_silence_that_hides_is_named() -> None:
    silences = [silence(Matchers(service=("shop",)), id=1), silence(id=2), silence(id=3)]
    found = silence_over(silences, facts(), NOW)
    assert found is not None
    assert found.id == 2
    assert silence_over(silences[:1], facts(), NOW) is None


def test_a_window_is_by_the_clock_of_its_zone_on_its_days_and_may_pass_midnight() -> None:
    night = window("22:00", "06:00", Weekday.FRIDAY, zone=BERLIN)
    assert not covers(night, utc("2026-11-27T20:59"))  # Friday, 21:59 in Berlin
    assert covers(night, utc("2026-11-27T21:00"))
    assert covers(night, utc("2026-11-28T04:59"))  # Saturday, 05:59
    assert not covers(night, utc("2026-11-28T05:00"))
    assert not covers(night, utc("2026-11-28T21:00"))  # Saturday begins none


def test_a_window_that_begins_and_ends_at_one_time_is_a_whole_day() -> None:
    day = window("09:00", "09:00", Weekday.MONDAY)
    assert covers(day, utc("2026-11-23T09:00"))
    assert covers(day, utc("2026-11-24T08:59"))
    assert not covers(day, utc("2026-11-24T09:00"))


def test_on_the_day_of_23_hours_a_window_has_what_the_clock_shows_of_it() -> None:
    # At 02:00 of 29 March 2026 the clocks of Berlin are put forward to 03:00.
    assert hidden_minutes(window("02:00", "03:00", zone=BERLIN), "2026-03-28T23:00") == 0
    assert hidden_minutes(window("02:30", "04:00", zone=BERLIN), "2026-03-28T23:00") == 60
    assert hidden_minutes(window("01:00", "04:00", zone=BERLIN), "2026-03-28T23:00") == 120
    assert hidden_minutes(window("22:00", "06:00", zone=BERLIN), "2026-03-28T12:00") == 7 * 60


def test_on_the_day_of_25_hours_an_hour_that_comes_twice_is_covered_twice() -> None:
    # At 03:00 of 25 October 2026 the clocks of Berlin are put back to 02:00.
    assert hidden_minutes(window("02:00", "03:00", zone=BERLIN), "2026-10-24T22:00") == 120
    assert hidden_minutes(window("02:30", "04:00", zone=BERLIN), "2026-10-24T22:00") == 30 + 30 + 60
    assert hidden_minutes(window("22:00", "06:00", zone=BERLIN), "2026-10-24T12:00") == 9 * 60


@pytest.mark.parametrize(
    ("one", "since", "change"),
    [
        (window("22:00", "06:00"), "2026-11-23T12:00", "2026-11-23T22:00"),
        (window("22:00", "06:00"), "2026-11-23T22:00", "2026-11-24T06:00"),
        (window("09:00", "17:00", Weekday.SUNDAY), "2026-11-23T12:00", "2026-11-29T09:00"),
        (window("09:00", "17:00", Weekday.MONDAY), "2026-11-23T17:00", "2026-11-30T09:00"),
        # The clock jumps from 02:00 to 03:00, into the window; or out of it.
        (window("02:30", "04:00", zone=BERLIN), "2026-03-29T00:00", "2026-03-29T01:00"),
        (window("01:30", "02:30", zone=BERLIN), "2026-03-29T00:45", "2026-03-29T01:00"),
        # The clock goes back from 03:00 to 02:00: out of the window, and in again half an hour later.
        (window("02:30", "04:00", zone=BERLIN), "2026-10-25T00:45", "2026-10-25T01:00"),
        (window("02:30", "04:00", zone=BERLIN), "2026-10-25T01:00", "2026-10-25T01:30"),
    ],
)
def test_the_next_change_of_a_window_is_exact_on_every_day(
    one: WeeklyWindow, since: str, change: str
) -> None:
    assert next_change([one], utc(since)) == utc(change)


def test_the_next_change_agrees_with_a_walk_minute_by_minute_around_both_changes_of_the_clock() -> None:
    for one in (window("23:15", "02:45", zone=BERLIN), window("02:10", "02:50", zone=BERLIN)):
        for day in ("2026-03-28T22:00", "2026-10-24T22:00"):
            moment = utc(day)
            for _ in range(36 * 4):
                walked = moment
                while covers(one, walked) == covers(one, moment):
                    walked += timedelta(minutes=1)
                assert next_change([one], moment) == walked
                moment += timedelta(minutes=15)


def test_windows_that_meet_are_one_and_a_whole_week_never_changes() -> None:
    assert next_change([window("08:00", "12:00"), window("12:00", "18:00")], utc("2026-11-23T09:00")) == utc(
        "2026-11-23T18:00"
    )
    assert next_change([window("00:00", "00:00")], NOW) is None


def test_a_silence_that_recurs_rests_between_its_windows_and_changes_at_its_end_at_the_latest() -> None:
    one = silence(weekly=(window("12:30", "13:00"),), ends_at=NOW + timedelta(days=2))
    assert state_of(one, NOW) is SilenceState.RESTING
    assert judge(one, facts(), NOW) is SilenceVerdict.NOT_ACTIVE
    assert changes_at(one, NOW) == NOW + timedelta(minutes=30)
    assert judge(one, facts(), NOW + timedelta(minutes=30)) is SilenceVerdict.HIDES
    assert changes_at(one, NOW + timedelta(minutes=45)) == NOW + timedelta(hours=1)
    assert changes_at(silence(), NOW) == NOW + timedelta(hours=2)
    assert changes_at(silence(), NOW - timedelta(days=1)) == NOW


def test_matchers_and_facts_are_kept_as_texts_and_read_again() -> None:
    where = Matchers(severity=(ErrorSeverity.HIGH,), service=("a", "b"), tags={"region": ("eu",)})
    assert read_matchers(encode_matchers(where)) == where
    assert read_facts(encode_facts(facts()), ErrorSeverity.HIGH) == facts()
    assert describe_matchers(where) == "service a or b; severity high; tag region eu"


def test_the_facts_of_a_notification_are_bounded_however_large_its_event_is() -> None:
    tags = {f"tag{number}": "x" * 5000 for number in range(500)}
    known = read_facts(encode_facts(facts(tags=tags, release="r" * 5000)), ErrorSeverity.LOW)
    assert isinstance(known, Facts)
    assert len(known.tags) == FACT_TAGS_MAX
    assert {len(str(value)) for value in known.tags.values()} == {VALUE_CHARACTERS}
    assert len(known.release) == VALUE_CHARACTERS


def test_a_window_is_described_in_words() -> None:
    assert describe_window(window("22:00", "06:00", Weekday.TUESDAY, Weekday.MONDAY, zone=BERLIN)) == (
        "Mon, Tue 22:00 to 06:00 Europe/Berlin"
    )
    assert describe_window(window("01:00", "02:00")) == "every day 01:00 to 02:00 UTC"
    assert describe_window(window("01:00", "02:00", *WEEK)) == "every day 01:00 to 02:00 UTC"


def test_a_draft_begins_now_unless_it_begins_later_and_ends_after_its_length() -> None:
    assert check_draft(draft(), now=NOW) == []
    assert times_of(draft(), now=NOW) == (NOW, NOW + timedelta(hours=1))
    later = NOW + timedelta(days=1)
    assert times_of(draft(starts_at=later), now=NOW) == (later, later + timedelta(hours=1))
    assert times_of(draft(starts_at=NOW - timedelta(minutes=1)), now=NOW)[0] == NOW


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"where": Matchers()}, "where"),
        ({"where": Matchers(service=("x" * 201,))}, "service"),
        ({"where": Matchers(service=(" ",))}, "service"),
        ({"where": Matchers(code=("a\nb",))}, "code"),
        ({"where": Matchers(service=("x",) * 21)}, "service"),
        ({"where": Matchers(tags={"": ("x",)})}, "tags"),
        ({"where": Matchers(tags={f"t{number}": ("x",) for number in range(21)})}, "tags"),
        ({"where": Matchers(service=("x",), tags={"rack": ()})}, "tag rack"),
        ({"comment": "  "}, "comment"),
        ({"comment": "x" * 501}, "comment"),
        ({"for_seconds": None}, "ends_at"),
        ({"ends_at": NOW + timedelta(hours=1)}, "ends_at"),
        ({"for_seconds": 59}, "for_seconds"),
        ({"for_seconds": SECONDS_MAX + 1}, "for_seconds"),
        ({"for_seconds": None, "ends_at": NOW}, "ends_at"),
        ({"for_seconds": None, "ends_at": NOW + timedelta(days=367)}, "ends_at"),
        ({"for_seconds": None, "ends_at": datetime(2026, 12, 1)}, "ends_at"),  # noqa: DTZ001 - without a zone
        ({"starts_at": NOW + timedelta(days=367)}, "starts_at"),
        ({"starts_at": datetime(2026, 12, 1)}, "starts_at"),  # noqa: DTZ001 - without a zone
        ({"weekly": (window("24:00", "06:00"),)}, "start"),
        ({"weekly": (window("22:00", "6:00"),)}, "end"),
        ({"weekly": (window("22:00", "06:00", zone="Mars/Phobos"),)}, "zone"),
        ({"weekly": (window("22:00", "06:00"),) * 15}, "weekly"),
    ],
)
def test_a_draft_that_cannot_be_is_refused_by_the_field_that_is_wrong(
    fields: dict[str, Any], field: str
) -> None:
    assert [one.field for one in check_draft(draft(**fields), now=NOW)] == [field]
