"""Where a store's growth leads, from what it keeps and what has come lately."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultwire_consumer.domain.figures.growth import WINDOW, Growth, days_until_full, project
from faultwire_consumer.domain.retention import Retention
from faultwire_shared.event import ErrorSeverity

HIGH, LOW = ErrorSeverity.HIGH, ErrorSeverity.LOW
COUNTS = st.dictionaries(st.sampled_from(list(ErrorSeverity)), st.integers(0, 10**9))


def growth(**fields: Any) -> Growth:
    """1,000 bytes an event, 100,000 of them kept; 1,000 a day."""
    known: dict[str, Any] = {
        "bytes": 10**8,
        "window": WINDOW,
        "kept": {HIGH: 100_000},
        "lately": {HIGH: 7_000},
    }
    return Growth(**(known | fields))


def keeping(days: int = 3_650, *, max_bytes: int | None = None, **by_severity: int) -> Retention:
    kept: Mapping[ErrorSeverity, int] = {one: by_severity.get(one, days) for one in ErrorSeverity}
    return Retention(days=kept, max_bytes=max_bytes)


def test_what_comes_is_kept_until_retention_takes_as_much() -> None:
    assert project(growth(), keeping(365), 10) == 110_000_000
    assert project(growth(), keeping(150), 100) == 150_000_000
    assert project(growth(), keeping(150), 3_000) == 150_000_000


def test_a_store_that_grew_faster_before_shrinks_to_what_comes_now() -> None:
    assert project(growth(), keeping(30), 29) == 100_000_000
    assert project(growth(), keeping(30), 30) == 30_000_000


def test_each_severity_has_a_retention_of_its_own() -> None:
    both = growth(kept={HIGH: 50_000, LOW: 50_000}, lately={HIGH: 7_000, LOW: 7_000})
    assert project(both, keeping(low=60), 100) == 210_000_000


def test_a_bound_of_bytes_holds() -> None:
    assert project(growth(), keeping(max_bytes=120_000_000), 100) == 120_000_000


def test_a_day_is_the_mean_of_the_time_that_was_counted() -> None:
    young = growth(window=timedelta(hours=12), lately={HIGH: 500})
    assert young.daily == {HIGH: 1_000}


@pytest.mark.parametrize("little", [{"kept": {HIGH: 999}}, {"window": timedelta(minutes=59)}])
def test_of_too_little_nothing_is_said(little: dict[str, Any]) -> None:
    assert project(growth(**little), keeping(), 10) is None
    assert days_until_full(growth(**little), keeping(), 0) is None


def test_a_disk_is_full_on_the_first_day_that_takes_more_than_is_free() -> None:
    assert days_until_full(growth(), keeping(), 10_500_000) == 11
    assert days_until_full(growth(), keeping(105), 10_500_000) is None


@given(kept=COUNTS, lately=COUNTS, days=st.integers(1, 3_650), retained=st.integers(2, 3_650))
def test_a_projection_lies_between_nothing_and_all_that_is_kept_and_comes(
    kept: dict[ErrorSeverity, int], lately: dict[ErrorSeverity, int], days: int, retained: int
) -> None:
    found = growth(kept=kept, lately=lately)
    projected, each = project(found, keeping(retained), days), found.event_bytes
    assert (projected is None) == (each is None)
    if projected is not None and each is not None:
        assert 0 <= projected <= round(each * (sum(kept.values()) + sum(lately.values()) / 7 * days)) + 1
