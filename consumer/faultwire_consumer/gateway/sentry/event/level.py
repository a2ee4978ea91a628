"""A Sentry event's level, as the severity that it means here."""

from typing import Any, Final

from msgspec import Struct

from faultwire_shared.event import NAME_CHARACTERS, ErrorSeverity

_WORDS: Final = {
    "fatal": ErrorSeverity.CRITICAL,
    "critical": ErrorSeverity.CRITICAL,
    "error": ErrorSeverity.HIGH,
    "warning": ErrorSeverity.MEDIUM,
    "info": ErrorSeverity.LOW,
    "log": ErrorSeverity.LOW,
    "debug": ErrorSeverity.LOW,
}
_NUMBERS: Final = {
    10: ErrorSeverity.LOW,
    20: ErrorSeverity.LOW,
    30: ErrorSeverity.MEDIUM,
    40: ErrorSeverity.HIGH,
    50: ErrorSeverity.CRITICAL,
}


class SentryLevel(Struct, frozen=True):
    """The meaning of a level, and the word for it if there was one."""

    severity: ErrorSeverity
    word: str | None


def read_level(given: Any) -> SentryLevel:
    """Read a level: a word of Sentry's, or a number of Python's logging as the old clients send it.

    Anything else is an error, as it is at Sentry: ``ErrorSeverity.parse`` would make it medium.
    """
    if isinstance(given, str):
        return SentryLevel(_WORDS.get(given, ErrorSeverity.HIGH), given[:NAME_CHARACTERS] or None)
    if isinstance(given, int) and not isinstance(given, bool):
        return SentryLevel(_NUMBERS.get(given, ErrorSeverity.HIGH), str(given) if given in _NUMBERS else None)
    return SentryLevel(ErrorSeverity.HIGH, None)
