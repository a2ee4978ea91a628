"""Any usual spelling of a severity is understood; none is an error."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultwire_shared.event import ErrorSeverity, Lane


@pytest.mark.parametrize(
    ("given_as", "severity"),
    [
        ("critical", "critical"),
        ("FATAL", "critical"),
        ("error", "high"),
        (" Warning ", "medium"),
        ("warn", "medium"),
        ("info", "low"),
        ("debug", "low"),
        (50, "critical"),
        (40, "high"),
        ("30", "medium"),
        (20, "low"),
        (21, "critical"),
        (17, "high"),
        (13, "medium"),
        (9, "low"),
        (99, "medium"),
        ("apocalyptic", "medium"),
    ],
)
def test_a_spelling_has_a_severity(given_as: str | int, severity: str) -> None:
    assert ErrorSeverity.parse(given_as)[0] == severity


@given(st.text() | st.integers())
def test_what_was_not_one_of_the_four_is_kept_as_text(value: str | int) -> None:
    severity, text = ErrorSeverity.parse(value)
    assert text is None if value == severity.value else text == str(value)


def test_medium_and_low_share_the_routine_lane() -> None:
    assert {severity.value: severity.lane for severity in ErrorSeverity} == {
        "low": Lane.ROUTINE,
        "medium": Lane.ROUTINE,
        "high": Lane.HIGH,
        "critical": Lane.CRITICAL,
    }


def test_a_rank_leads_back_to_its_severity() -> None:
    assert [ErrorSeverity.from_rank(severity.rank) for severity in ErrorSeverity] == list(ErrorSeverity)
