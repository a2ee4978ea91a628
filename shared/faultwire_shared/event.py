"""The event as it travels: wire version 1, as frozen Structs, with its size limits.

Names follow OpenTelemetry's semantic conventions where one exists (see the table in
``shared/docs/reference/wire.md``). Fields are only ever added; a reader ignores fields that it does not know.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Self

from msgspec import Meta, Struct, field

SCHEMA_VERSION: Final = 1

EVENT_BYTES: Final = 256 * 1024
"""Maximum size of an event's JSON, in bytes."""
BATCH_BYTES: Final = 128 * 1024
"""Maximum size of a batch message as our client makes it, in bytes."""
BATCH_EVENTS: Final = 50
"""Maximum number of events in a batch message as our client makes it."""
MESSAGE_BYTES: Final = 256 * 1024
"""Maximum size of a message's body that the worker accepts, in bytes."""
MESSAGE_EVENTS: Final = 1000
"""Maximum number of events in a message that the worker accepts."""
FRAMES: Final = 100
CONTEXT_KEYS: Final = 50
DEPTH: Final = 5
STRING_CHARACTERS: Final = 1024
NAME_CHARACTERS: Final = 200
"""Maximum length of texts that become columns or labels: service, environment, release, code, host."""
COUNT_MAX: Final = 1_000_000_000

Name = Annotated[str, Meta(min_length=1, max_length=NAME_CHARACTERS)]
Timestamp = Annotated[datetime, Meta(tz=True)]
Scalar = str | int | float | bool | None


class Lane(StrEnum):
    """A separate path from the client's buffer to the store, so that critical events never wait."""

    CRITICAL = "critical"
    HIGH = "high"
    ROUTINE = "routine"


class ErrorSeverity(StrEnum):
    """Importance of an error to the people who run the service."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Return 1 for low to 4 for critical, as the store keeps and compares it."""
        return _RANKS[self]

    @property
    def lane(self) -> Lane:
        """Return the lane that events of this severity travel on."""
        return _LANES[self]

    @classmethod
    def from_rank(cls, rank: int) -> Self:
        """Return the severity of a stored rank (1 to 4)."""
        return list(cls)[rank - 1]

    @classmethod
    def parse(cls, value: str | int) -> tuple["ErrorSeverity", str | None]:
        """Read any usual spelling; an unknown one becomes medium and is kept as text.

        Takes this enum's values, the levels of logging and syslog, logging's numbers
        (10 to 50) and OpenTelemetry's severity numbers (1 to 24). Where the two numberings
        meet (10 and 20), logging's meaning wins: 20 is INFO in far more programs than ERROR4.

        Returns:
            The severity, and the given text if it was not one of the four values.
        """
        exact = _EXACT.get(value)
        if exact is not None:
            return exact
        if isinstance(value, int):
            return _from_number(value), str(value)
        known = _SPELLINGS.get(value) or _SPELLINGS.get(value.strip().lower())
        if known is not None:
            return known, None if value == known.value else value
        text = value.strip()
        if text.isascii() and text.isdigit() and len(text) <= 3:
            return _from_number(int(text)), value
        return cls.MEDIUM, value


_RANKS: Final = {severity: rank for rank, severity in enumerate(ErrorSeverity, start=1)}
_LANES: Final = {
    ErrorSeverity.CRITICAL: Lane.CRITICAL,
    ErrorSeverity.HIGH: Lane.HIGH,
    ErrorSeverity.MEDIUM: Lane.ROUTINE,
    ErrorSeverity.LOW: Lane.ROUTINE,
}
_SPELLINGS: Final = {
    **{severity.value: severity for severity in ErrorSeverity},
    **dict.fromkeys(("trace", "debug", "info", "information", "informational", "notice"), ErrorSeverity.LOW),
    **dict.fromkeys(("warn", "warning"), ErrorSeverity.MEDIUM),
    **dict.fromkeys(("err", "error", "severe"), ErrorSeverity.HIGH),
    **dict.fromkeys(
        ("fatal", "crit", "alert", "emerg", "emergency", "panic"),
        ErrorSeverity.CRITICAL,
    ),
}
SEVERITY_WORDS: Final = tuple(_SPELLINGS)
"""All words that `ErrorSeverity.parse` knows; it takes numbers too."""


# What nearly every event says: looking at an enum's value costs more than all else of the column.
_EXACT: Final[dict[str | int, tuple[ErrorSeverity, None]]] = {
    severity.value: (severity, None) for severity in ErrorSeverity
}


def _from_number(number: int) -> ErrorSeverity:
    logging_levels = {
        10: ErrorSeverity.LOW,
        20: ErrorSeverity.LOW,
        30: ErrorSeverity.MEDIUM,
        40: ErrorSeverity.HIGH,
        50: ErrorSeverity.CRITICAL,
    }
    if number in logging_levels:
        return logging_levels[number]
    for first, severity in (
        (21, ErrorSeverity.CRITICAL),
        (17, ErrorSeverity.HIGH),
        (13, ErrorSeverity.MEDIUM),
        (1, ErrorSeverity.LOW),
    ):
        if first <= number <= 24:
            return severity
    return ErrorSeverity.MEDIUM


class Category(StrEnum):
    """Kind of failure; it decides the HTTP status and what a caller is told."""

    VALIDATION = "validation"
    AUTHENTICATION = "authentication"
    BUSINESS = "business"
    EXTERNAL = "external"
    SYSTEM = "system"


class Frame(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One call of a stack: its place and function, its source and variables if available.

    Of ``context``, an odd number of source lines, the middle one ran; those that a file does not have are
    empty. ``vars`` are local variables by name, any JSON: people read them, and nothing is grouped by them.
    """

    file: str = ""
    module: str = ""
    qualname: str = ""
    line: int = 0
    in_app: bool = True
    context: list[str] = field(default_factory=list)
    vars: dict[str, Any] = field(default_factory=dict)

    @property
    def ran(self) -> str:
        """Return the source line that ran; empty where it is not known."""
        return self.context[len(self.context) // 2] if self.context else ""


class ExceptionInfo(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One exception of a chain. ``frames`` run from the outermost call to the crash.

    ``attributes`` distinguish two faults at one line (errno, HTTP status, SQLSTATE);
    ``members`` hold an exception group's chains.
    """

    type: str
    module: str = ""
    value: str = ""
    attributes: dict[str, Scalar] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    members: list[list["ExceptionInfo"]] = field(default_factory=list)


class Sdk(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The library that made the event."""

    name: str = ""
    version: str = ""


class Event(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An error that a service publishes and the store keeps, or ``count`` of the same.

    ``exceptions[0]`` is the one raised, then its cause, and so on.
    """

    id: str
    schema_version: int
    occurred_at: Timestamp
    severity: ErrorSeverity
    service: Name
    severity_text: str | None = None
    category: Category = Category.SYSTEM
    code: str = ""
    message: str = ""
    template: str | None = None
    environment: Name = "production"
    release: str | None = None
    host: str | None = None
    handled: bool = True
    exceptions: list[ExceptionInfo] = field(default_factory=list)
    context: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, Scalar] = field(default_factory=dict)
    user: dict[str, Any] = field(default_factory=dict)
    request: dict[str, Any] = field(default_factory=dict)
    transaction: str | None = None
    breadcrumbs: list[dict[str, Any]] = field(default_factory=list)
    trace_id: str | None = None
    span_id: str | None = None
    fingerprint: list[str] = field(default_factory=list)
    count: Annotated[int, Meta(ge=1, le=COUNT_MAX)] = 1
    first_at: Timestamp | None = None
    last_at: Timestamp | None = None
    producer_id: str | None = None
    sequence: int | None = None
    scrubbed: bool = False
    truncated: list[str] = field(default_factory=list)
    sdk: Sdk | None = None
