"""What the founding document says word for word, and no other test states so plainly."""

import inspect

import pytest
from tests.tools.clock import FixedClock

from faultwire import (
    AuthenticationError,
    BusinessError,
    ErrorManager,
    ErrorSeverity,
    ExternalError,
    InternalError,
    NotFoundError,
    ValidationError,
)


def test_there_are_four_severities_with_these_values() -> None:
    assert {severity.name: severity.value for severity in ErrorSeverity} == {
        "LOW": "low",
        "MEDIUM": "medium",
        "HIGH": "high",
        "CRITICAL": "critical",
    }


async def test_handle_error_takes_error_severity_context_and_user_message_in_this_order(
    clock: FixedClock,
) -> None:
    assert list(inspect.signature(ErrorManager.handle_error).parameters)[:5] == [
        "self",
        "error",
        "severity",
        "context",
        "user_message",
    ]
    errors = ErrorManager(service="cms", clock=clock)
    response = await errors.handle_error(RuntimeError("x"), ErrorSeverity.LOW, {"page": 7}, "Not now.")
    assert dict(response) == {
        "error_id": response.error_id,
        "message": "Not now.",
        "severity": "low",
        "timestamp": "2026-11-23T12:00:00.000Z",
    }


def test_the_example_of_the_response_format_comes_out_field_by_field(clock: FixedClock) -> None:
    error = NotFoundError(
        "The requested resource was not found", details={"field": "user_id", "value": "12345"}
    )
    response = ErrorManager(service="cms", clock=clock).handle_error_nowait(error)
    assert response.body() == {
        "error": {
            "id": response.error_id,
            "message": "The requested resource was not found",
            "code": "RESOURCE_NOT_FOUND",
            "severity": "medium",
            "timestamp": "2026-11-23T12:00:00.000Z",
            "details": {"field": "user_id", "value": "12345"},
        }
    }


@pytest.mark.parametrize(
    ("error", "severity"),
    [
        (ValidationError("x"), "low"),
        (AuthenticationError("x"), "medium"),
        (BusinessError("x"), "medium"),
        (ExternalError("x"), "high"),
        (InternalError("x"), "high"),
        (MemoryError("x"), "critical"),
    ],
)
def test_without_a_severity_the_category_decides(error: Exception, severity: str) -> None:
    assert ErrorManager(service="cms").handle_error_nowait(error)["severity"] == severity
