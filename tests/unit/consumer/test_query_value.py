"""Incident ids and moments, as people write them in a query, a filter or an option."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultwire_consumer.domain.incident_name import parse_incident_id
from faultwire_consumer.domain.query.value import moment_of

NOW = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "number"),
    [("INC-12", 12), ("inc-12", 12), ("12", 12), ("INC-0", None), ("INC12", None), ("", None), ("١٢", None)],
)
def test_incident_ids(text: str, number: int | None) -> None:
    assert parse_incident_id(text) == number


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("90s", NOW - timedelta(seconds=90)),
        ("2h", NOW - timedelta(hours=2)),
        ("1w", NOW - timedelta(weeks=1)),
        ("today", datetime(2026, 11, 23, tzinfo=UTC)),
        ("Yesterday", datetime(2026, 11, 22, tzinfo=UTC)),
        ("monday", datetime(2026, 11, 23, tzinfo=UTC)),
        ("tuesday", datetime(2026, 11, 17, tzinfo=UTC)),
        ("sunday", datetime(2026, 11, 22, tzinfo=UTC)),
        ("2026-11-20", datetime(2026, 11, 20, tzinfo=UTC)),
        ("2026-11-20T10:00:00Z", datetime(2026, 11, 20, 10, tzinfo=UTC)),
        ("2026-11-20T10:00:00+02:00", datetime(2026, 11, 20, 8, tzinfo=UTC)),
        ("2026-11-20T10:00:00 02:00", datetime(2026, 11, 20, 8, tzinfo=UTC)),
    ],
)
def test_moments(text: str, moment: datetime) -> None:
    assert moment_of(text, now=NOW) == moment


@given(st.text())
def test_any_other_moment_is_refused_and_nothing_worse(text: str) -> None:
    try:
        assert moment_of(text, now=NOW).tzinfo is UTC
    except ValueError as error:
        told = str(error)
    else:
        return
    assert told.startswith("write 2h")
