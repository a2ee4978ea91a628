from datetime import date, timedelta

from faultwire_consumer.domain.retention import (
    Cut,
    FloorStatus,
    first_safe,
    floor_by_size,
    floors_by_age,
    is_past,
    latest_floor,
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
