"""How many new incidents of one kind may open in a minute."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from faultwire_consumer.domain.incident_limit import IncidentAdmission, IncidentBurst, admit, overflow_of

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def after(*wants: tuple[float, int], limit: int = 10) -> list[IncidentAdmission]:
    """What became of so many new fingerprints at these seconds."""
    burst: IncidentBurst | None = None
    admissions = []
    for seconds, wanted in wants:
        admissions.append(admit(burst, wanted, limit=limit, now=NOON + timedelta(seconds=seconds)))
        burst = admissions[-1].burst
    return admissions


def test_new_incidents_open_until_the_minute_is_full_and_again_in_the_next() -> None:
    admissions = after((0, 4), (10, 4), (20, 4), (59, 3), (60, 4))
    assert [(one.opened, one.diverted) for one in admissions] == [(4, 0), (4, 0), (2, 2), (0, 3), (4, 0)]


def test_a_burst_is_told_when_it_begins_and_not_again_while_it_lasts() -> None:
    admissions = after((0, 30), (1, 30), (61, 30), (125, 30), (400, 5), (401, 30))
    assert [one.begins for one in admissions] == [True, False, False, False, False, True]


def test_a_clock_that_was_set_back_bars_nobody_for_long() -> None:
    assert [one.opened for one in after((1_000, 10), (0, 5))] == [10, 5]


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(0, 40)), min_size=1))
def test_none_is_forgotten_and_a_minute_never_opens_more_than_twice_its_number(
    wants: list[tuple[float, int]],
) -> None:
    wants.sort()
    admissions = after(*wants)
    assert [one.opened + one.diverted for one in admissions] == [wanted for _, wanted in wants]
    for start, _ in wants:
        opened = [one.opened for one, (at, _) in zip(admissions, wants, strict=True) if 0 <= at - start < 60]
        assert sum(opened) <= 20


def test_an_overflow_is_one_of_a_service_and_a_type_and_says_why() -> None:
    found = overflow_of("billing", "KeyError")
    assert found == overflow_of("billing", "KeyError")
    assert len({found.key, overflow_of("billing", "OSError").key, overflow_of("shop", "KeyError").key}) == 3
    assert "overflow of new incidents" in found.parts
