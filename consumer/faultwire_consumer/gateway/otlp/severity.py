"""OpenTelemetry's severities: a table of their own, as logging's numbers mean something else."""

from typing import Final

from faultwire_shared.event import ErrorSeverity

ERROR: Final = 17
_LOWEST: Final = (
    (21, ErrorSeverity.CRITICAL),
    (ERROR, ErrorSeverity.HIGH),
    (13, ErrorSeverity.MEDIUM),
    (1, ErrorSeverity.LOW),
)
"""The data model's ranges of ``SeverityNumber``: FATAL, ERROR, WARN, and all that is less."""
_ERRORS: Final = {
    **dict.fromkeys(("error", "err", "severe", "exception"), ErrorSeverity.HIGH),
    **dict.fromkeys(
        ("fatal", "critical", "crit", "alert", "emerg", "emergency", "panic"), ErrorSeverity.CRITICAL
    ),
}
_OTHERS: Final = {
    **dict.fromkeys(("warn", "warning"), ErrorSeverity.MEDIUM),
    **dict.fromkeys(("trace", "debug", "info", "information", "notice"), ErrorSeverity.LOW),
}


def is_error(number: int, text: str) -> bool:
    """Return True for a record that is taken for its severity alone: by its number, else by its word."""
    return number >= ERROR if number > 0 else _word(text) in _ERRORS


def severity_of(number: int, text: str) -> ErrorSeverity:
    """Return the severity of a record that is taken; high where it says nothing that is known."""
    if number > 0:
        return next(severity for lowest, severity in _LOWEST if number >= lowest)
    word = _word(text)
    return _ERRORS.get(word) or _OTHERS.get(word) or ErrorSeverity.HIGH


def _word(text: str) -> str:
    """Return ``error`` of ``ERROR2``."""
    return text.strip().lower().rstrip("234")
