"""Recognises transient errors: worth another attempt, or a sign that the other side is away."""

import errno
import socket
from collections.abc import Callable, Mapping
from typing import Final

from faultwire_shared.event import Category
from faultwire_shared.taxonomy import CategorizedError, DatabaseConnectionError, classify

ErrorChoice = type[Exception] | tuple[type[Exception], ...] | Callable[[Exception], bool]
"""A choice of errors: classes, or a predicate on each."""

STATUSES: Final = frozenset((429, 500, 502, 503, 504))
"""HTTP statuses that may be different next time."""

_CONTENTION: Final = ("40001", "40P01")  # serialization_failure, deadlock_detected
_SQLSTATES: Final = frozenset(
    (
        *_CONTENTION,
        "53300",  # too_many_connections
        "57P01",  # admin_shutdown
        "57P02",  # crash_shutdown
        "57P03",  # cannot_connect_now
    )
)
"""In addition to class 08, connection exceptions: PostgreSQL's appendix A, "PostgreSQL Error Codes"."""
_SQLITE_CODES: Final = (5, 6)  # SQLITE_BUSY and SQLITE_LOCKED; extended codes are in the higher bytes
_DRIVERS: Final[Mapping[str, str]] = {
    "psycopg.OperationalError": "",
    "psycopg2.OperationalError": "",
    "asyncpg.exceptions._base.InterfaceError": "connection is closed",
}
"""Errors that carry no SQLSTATE when the connection is gone, and the words that identify them."""
_UNREACHABLE: Final = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN)


def is_chosen(error: Exception, choice: ErrorChoice) -> bool:
    """Return True if the error is one of the choice."""
    if isinstance(choice, type | tuple):
        return isinstance(error, choice)
    return choice(error)


def is_transient(error: BaseException) -> bool:
    """Return True if a database error is transient: the connection is gone, or another transaction was first.

    Known are our own ``DatabaseConnectionError``, SQLSTATE on any error that carries one (asyncpg, psycopg,
    SQLAlchemy's wrappers), SQLite's "database is locked", and the operating system's connection errors.
    """
    if isinstance(error, DatabaseConnectionError):
        return True
    wrapped = getattr(error, "orig", None)  # SQLAlchemy's
    if isinstance(wrapped, BaseException):
        return bool(getattr(error, "connection_invalidated", False)) or is_transient(wrapped)
    state = _sqlstate(error)
    if state is not None:
        return state.startswith("08") or state in _SQLSTATES
    return _is_locked(error) or _is_disconnected(error)


def is_outage(error: BaseException) -> bool:
    """Return True if an error says that the other side is away, so that the next call would fail too.

    These are the errors that `is_transient` knows, except contention (a deadlock, a locked file), where the
    database is at work; ``ExternalError``; errors registered as external (aiohttp, requests, httpx, redis);
    and the HTTP answers that `create_robust_session` retries.
    """
    if isinstance(error, CategorizedError):
        return error.category is Category.EXTERNAL
    if _is_contention(error):
        return False
    status = getattr(error, "status", None) or getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(status, int):
        return status in STATUSES
    classification = classify(error)
    # Registered database errors are of many kinds, "no such table" among them.
    is_database = classification.code == DatabaseConnectionError.code
    return is_transient(error) or (classification.category is Category.EXTERNAL and not is_database)


def _is_contention(error: BaseException) -> bool:
    wrapped = getattr(error, "orig", None)
    if isinstance(wrapped, BaseException):
        return _is_contention(wrapped)
    return _sqlstate(error) in _CONTENTION or _is_locked(error)


def _sqlstate(error: BaseException) -> str | None:
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    return state if isinstance(state, str) else None


def _is_locked(error: BaseException) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    if isinstance(code, int):
        return code & 0xFF in _SQLITE_CODES
    return type(error).__name__ == "OperationalError" and "database is locked" in str(error)


def _is_disconnected(error: BaseException) -> bool:
    for ancestor in type(error).__mro__:
        words = _DRIVERS.get(f"{ancestor.__module__}.{ancestor.__qualname__}")
        if words is not None:
            return words in str(error)
    if isinstance(error, ConnectionError | TimeoutError | socket.gaierror):
        return True
    # asyncio wraps the refusals of a name with several addresses in an OSError without an errno.
    several = isinstance(error, OSError) and error.errno is None and "Multiple exceptions" in str(error)
    return several or (isinstance(error, OSError) and error.errno in _UNREACHABLE)
