"""The answer to a caller of a failing service: the standard body, RFC 9457, and how far the event has got."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from faultwire.queue.ticket import FinalState, Ticket
from faultwire_shared.error_body import (
    error_fields,
    negotiate_body,
    problem_body,
    standard_body,
    timestamp_of,
)
from faultwire_shared.event import Category, ErrorSeverity

SENTENCES: Final[Mapping[ErrorSeverity, str]] = {
    ErrorSeverity.LOW: "Something small did not work; please check what you sent and try again.",
    ErrorSeverity.MEDIUM: "We could not do this; please try again, or contact us if it stays so.",
    ErrorSeverity.HIGH: "Something went wrong on our side and we have been told; please try again soon.",
    ErrorSeverity.CRITICAL: "This does not work at present; we are on it. Please try again later.",
}
"""Messages for where nothing better may be said: one sentence for each severity."""

_KEYS: Final = ("error_id", "message", "severity", "timestamp")


class ErrorResponse(Mapping[str, str]):
    """The answer to one error. ``dict(response)`` gives ``error_id, message, severity, timestamp``."""

    __slots__ = (
        "_ticket",
        "category",
        "code",
        "details",
        "error_id",
        "headers",
        "message",
        "occurred_at",
        "severity",
        "status",
    )

    def __init__(
        self,
        *,
        error_id: str,
        message: str,
        severity: ErrorSeverity,
        occurred_at: datetime,
        category: Category,
        code: str,
        status: int,
        details: Mapping[str, Any],
        headers: Mapping[str, str],
        ticket: Ticket,
    ) -> None:
        self.error_id: str = error_id
        self.message: str = message
        self.severity: ErrorSeverity = severity
        self.occurred_at: datetime = occurred_at
        self.category: Category = category
        self.code: str = code
        self.status: int = status
        self.details: Mapping[str, Any] = details
        self.headers: Mapping[str, str] = headers
        self._ticket = ticket

    def __getitem__(self, key: str) -> str:
        if key not in _KEYS:
            raise KeyError(key)
        return str(getattr(self, key))

    def __iter__(self) -> Iterator[str]:
        return iter(_KEYS)

    def __len__(self) -> int:
        return len(_KEYS)

    def __repr__(self) -> str:
        return f"ErrorResponse({self.error_id!r}, status={self.status}, state={self.state.state!r})"

    @property
    def timestamp(self) -> str:
        """The time of the error: RFC 3339 in UTC with milliseconds, ``2026-11-23T10:00:00.123Z``."""
        return timestamp_of(self.occurred_at)

    @property
    def state(self) -> FinalState:
        """The event's state by now; ``buffered`` is not final."""
        return self._ticket.state

    async def delivered(self, timeout: float | None = None) -> FinalState:  # noqa: ASYNC109 - running out is an answer here, not an error
        """Wait for the event's final state, or for ``timeout`` seconds, after which it is ``buffered``."""
        return await self._ticket.wait(timeout)

    def wait_delivered(self, timeout: float | None = None) -> FinalState:
        """``delivered`` where there is no event loop: blocks this thread for at most ``timeout`` seconds."""
        return self._ticket.wait_blocking(timeout)

    def body(self) -> dict[str, Any]:
        """The standard body: ``{"error": {"id", "message", "code", "severity", "timestamp", "details"}}``."""
        return standard_body(self._fields())

    def problem(self) -> dict[str, Any]:
        """The same as RFC 9457 problem details, our fields as extension members."""
        return problem_body(
            self._fields(),
            status=self.status,
            instance=f"urn:faultwire:event:{self.error_id}",
        )

    def negotiate(self, accept: str | None) -> tuple[str, bytes]:
        """The content type and body for an ``Accept`` header: problem details only to whom asks for them."""
        return negotiate_body(accept, body=self.body, problem=self.problem)

    def _fields(self) -> dict[str, Any]:
        return error_fields(
            error_id=self.error_id,
            message=self.message,
            code=self.code,
            severity=self.severity,
            occurred_at=self.occurred_at,
            details=self.details,
        )
