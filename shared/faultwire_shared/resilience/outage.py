"""Which errors are of the moment: worth another attempt, or a sign that the other side is away."""

import errno
import socket
from collections.abc import Callable, Mapping
from typing import Final

from faultwire_shared.event import Category
from faultwire_shared.taxonomy import CategorizedError, DatabaseConnectionError, classify

ErrorChoice = type[Exception] | tuple[type[Exception], ...] | Callable[[Exception], bool]
"""Which errors are meant: classes, or a question to ask of each."""

STATUSES: Final = frozenset((429, 500, 502, 503, 504))
"""HTTP answers that may be another one next time."""

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
"""Beside class 08, connection exceptions: PostgreSQL's appendix A, "PostgreSQL Error Codes"."""
_SQLITE_CODES: Final = (5, 6)  # SQLITE_BUSY and SQLITE_LOCKED; extended codes stand in the higher bytes
_DRIVERS: Final[Mapping[str, str]] = {
    "psycopg.OperationalError": "",
    "psycopg2.OperationalError": "",
    "asyncpg.exceptions._base.InterfaceError": "connection is closed",
}
"""Errors that carry no SQLSTATE when the connection is gone, and the words that tell them from others."""
_UNREACHABLE: Final = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN)


def is_chosen(error: Exception, choice: ErrorChoice) -> bool:
    """Whether the error is one of those that are meant."""
    if isinstance(choice, type | tuple):
        return isinstance(error, choice)
    return choice(error)


def is_transient(error: BaseException) -> bool:
    """Whether a database error is of the moment: the connection is gone, or another transaction was first.

    Known are our own ``DatabaseConnectionError``, SQLSTATE on whatever carries one (asyncpg, psycopg,
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
    """Whether an error says that what was called is away, so that the next call would fail too.

    What `is_transient` knows, but for contention (a deadlock, a locked file): there the database is at
    work. Beside it ``ExternalError``, what is registered as external (aiohttp, requests, httpx, redis),
    and of answers over HTTP those that `create_robust_session` asks for again.
    """
    if isinstance(error, CategorizedError):
        return error.category is Category.EXTERNAL
    if _is_contention(error):
        return False
    status = getattr(error, "status", None) or getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(status, int):
        return status in STATUSES
    meaning = classify(error)
    # Registered database errors are of many kinds, "no such table" among them.
    is_database = meaning.code == DatabaseConnectionError.code
    return is_transient(error) or (meaning.category is Category.EXTERNAL and not is_database)


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
    # asyncio wraps the refusals of a name with several addresses in an OSError without a number.
    several = isinstance(error, OSError) and error.errno is None and "Multiple exceptions" in str(error)
    return several or (isinstance(error, OSError) and error.errno in _UNREACHABLE)
