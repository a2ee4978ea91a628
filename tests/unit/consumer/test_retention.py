from datetime import date, timedelta

from faultwire_consumer.domain.retention import (
    Clocks,
    Cut,
    FloorStatus,
    Passing,
    clocks_of,
    first_safe,
    floor_by_size,
    floors_ahead,
    floors_by_age,
    is_past,
    judge_passing,
    latest_floor,
    next_look,
    plan_cuts,
    raise_to,
)
from faultwire_shared.event import ErrorSeverity

TODAY = date(2026, 11, 23)
LOW, MEDIUM, HIGH, CRITICAL = ErrorSeverity
EQUAL = dict.fromkeys(ErrorSeverity, 10)


def ago(days: int) -> date:
    return TODAY - timedelta(days=days)


def test_floors_lie_so_many_days_back_and_never_in_the_last_two() -> None:
    floors = floors_by_age(EQUAL | {LOW: 2}, today=TODAY)
    assert floors == {LOW: ago(2), MEDIUM: ago(10), HIGH: ago(10), CRITICAL: ago(10)}
    assert floors_by_age({LOW: 0}, today=TODAY) == {LOW: latest_floor(TODAY)}


def test_what_is_below_a_floor_is_asked_for_by_a_clock_that_is_a_day_behind_too() -> None:
    oldest_kept = latest_floor(TODAY)
    dropped = oldest_kept - timedelta(days=1)
    assert dropped < first_safe(TODAY)
    assert dropped < first_safe(TODAY - timedelta(days=1))
    assert TODAY - timedelta(days=1) >= first_safe(TODAY), "the usual batch asks for nothing"


def test_only_a_severity_with_a_floor_is_past() -> None:
    assert is_past({LOW: ago(5)}, LOW, ago(6))
    assert not is_past({LOW: ago(5)}, LOW, ago(5))
    assert not is_past({LOW: ago(5)}, HIGH, ago(6))


def test_by_size_the_oldest_days_go_until_enough_is_freed() -> None:
    days = [(ago(3), 50), (ago(9), 10), (ago(8), 20), (ago(1), 900)]
    assert floor_by_size(days, excess=1, today=TODAY) == ago(8)
    assert floor_by_size(days, excess=30, today=TODAY) == ago(7)
    assert floor_by_size(days, excess=31, today=TODAY) == ago(2)
    assert floor_by_size(days, excess=5000, today=TODAY) == ago(2), "the last days stay all the same"
    assert floor_by_size(days[3:], excess=5000, today=TODAY) is None


def test_no_floor_goes_back() -> None:
    assert raise_to({LOW: ago(3), HIGH: ago(9)}, {LOW: ago(5), HIGH: ago(4)}) == {LOW: ago(3), HIGH: ago(4)}


def test_a_day_below_all_floors_goes_whole_and_one_below_some_only_once() -> None:
    standing = {one: FloorStatus(ago(10), ago(10)) for one in ErrorSeverity} | {
        LOW: FloorStatus(ago(5), ago(6))
    }
    cuts = plan_cuts([ago(4), ago(6), ago(7), ago(11)], standing)
    assert cuts == [Cut(ago(11), (1, 2, 3, 4), is_whole=True), Cut(ago(6), (1,), is_whole=False)]


def test_the_newest_event_s_day_and_the_two_before_it_stay_while_it_is_recent() -> None:
    assert latest_floor(TODAY, ago(5)) == ago(7)
    assert latest_floor(TODAY, TODAY + timedelta(days=3)) == ago(2), (
        "a producer's clock brings nothing forward"
    )
    assert latest_floor(TODAY, ago(14)) == ago(16)
    assert latest_floor(TODAY, ago(15)) == ago(2), "a store that is quiet for long follows the clocks alone"
    assert floors_by_age({LOW: 2, HIGH: 30}, today=TODAY, newest=ago(5)) == {LOW: ago(7), HIGH: ago(30)}
    assert floor_by_size([(ago(9), 1), (ago(6), 1)], excess=9, today=TODAY, newest=ago(5)) == ago(8)


def test_a_floor_is_ahead_where_no_clock_of_today_can_have_raised_it() -> None:
    tomorrow = TODAY + timedelta(days=1)
    assert floors_ahead({LOW: latest_floor(tomorrow), HIGH: ago(0)}, today=TODAY) == {HIGH: ago(0)}


def test_of_several_clocks_the_earliest_and_the_latest_count() -> None:
    assert clocks_of([TODAY, ago(3), ago(1)]) == Clocks(ago(3), TODAY)


def passing(stored: list[date], *, last: date | None, newest: date | None) -> Passing:
    return judge_passing(stored, EQUAL | {CRITICAL: 90}, today=TODAY, last_look=last, newest=newest)


def test_up_to_a_week_may_pass_between_two_looks() -> None:
    stored = [ago(days) for days in range(8, 20)]
    assert passing(stored, last=ago(7), newest=ago(8)) == Passing(TODAY)
    assert passing(stored, last=TODAY, newest=None) == Passing(TODAY)
    assert passing(stored, last=TODAY + timedelta(days=9), newest=None) == Passing(TODAY)


def test_after_a_longer_time_an_operator_is_asked_for_more_than_a_tenth_of_the_days() -> None:
    stored = [ago(days) for days in range(1, 20)]
    due = tuple(day for day in stored if ago(18) <= day < ago(10))
    assert passing(stored, last=ago(8), newest=ago(1)) == Passing(ago(8), due)
    assert passing([ago(30)], last=None, newest=ago(30)) == Passing(ago(30), (ago(30),)), "the first look"


def test_a_tenth_of_the_days_goes_as_soon_as_an_event_says_the_same_date() -> None:
    stored = [ago(days) for days in (*range(1, 10), 12, 30)]
    assert passing(stored, last=ago(8), newest=ago(1)) == Passing(TODAY)
    assert passing(stored, last=ago(8), newest=ago(8)) == Passing(ago(8)), "nobody is asked: events will come"
    assert passing([], last=ago(300), newest=None) == Passing(ago(300)), "what has ended waits for one too"


def test_the_last_look_never_goes_back_but_from_ahead_of_all_clocks() -> None:
    clocks = Clocks(ago(3), TODAY)
    assert next_look(None, ago(3), clocks) == ago(3)
    assert next_look(ago(9), ago(3), clocks) == ago(3)
    assert next_look(ago(1), ago(3), clocks) == ago(1)
    assert next_look(TODAY + timedelta(days=200), ago(3), clocks) == ago(3)
