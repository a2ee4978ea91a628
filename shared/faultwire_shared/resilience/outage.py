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
_MYSQL: Final = ("pymysql", "MySQLdb", "asyncmy", "mysql", "mariadb")
"""Drivers that carry MySQL's numbers, as ``errno`` or as the first argument."""
_MYSQL_CONTENTION: Final = (1205, 1213)  # a lock's time ran out, and a deadlock
_MYSQL_CODES: Final = frozenset(
    (
        *_MYSQL_CONTENTION,
        *(0, 2002, 2003, 2006, 2013, 2055),  # the client's: a closed connection, none to be had, or one lost
        *(1040, 1053, 1927, 4031),  # the server's: too many connections, its end, and what it has ended
    )
)
"""MySQL's references, "Client Error Message Reference" and "Server Error Message Reference"."""
_WRAPPERS: Final = frozenset(
    ("DatabaseError", "OperationalError", "InterfaceError", "InternalError", "ProgrammingError")
)
"""Names of PEP 249, under which Django and others raise what is a driver's, and keep that as the cause."""
_WRAPPED_DEEP: Final = 5
_UNREACHABLE: Final = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN)


def is_chosen(error: Exception, choice: ErrorChoice) -> bool:
    """Return True if the error is one of the choice."""
    if isinstance(choice, type | tuple):
        return isinstance(error, choice)
    return choice(error)


def is_transient(error: BaseException) -> bool:
    """Return True if a database error is transient: the connection is gone, or another transaction was first.

    Known are our own ``DatabaseConnectionError``, SQLSTATE on any error that carries one (asyncpg, psycopg),
    MySQL's numbers, SQLite's "database is locked", the operating system's connection errors, and all of these
    in the wrappers of SQLAlchemy and Django.
    """
    if isinstance(error, DatabaseConnectionError):
        return True
    if getattr(error, "connection_invalidated", False) is True:  # SQLAlchemy's
        return True
    error = _drivers_own(error)
    number = _mysql_number(error)
    if number is not None:
        return number in _MYSQL_CODES
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
    error = _drivers_own(error)
    number = _mysql_number(error)
    return _sqlstate(error) in _CONTENTION or number in _MYSQL_CONTENTION or _is_locked(error)


def _drivers_own(error: BaseException) -> BaseException:
    """The driver's error, where this one stands for it."""
    for _ in range(_WRAPPED_DEEP):
        inner = _wrapped(error)
        if inner is None:
            break
        error = inner
    return error


def _wrapped(error: BaseException) -> BaseException | None:
    inner = getattr(error, "orig", None)  # SQLAlchemy's
    if isinstance(inner, BaseException):
        return inner
    cause = error.__cause__
    if cause is None or type(error).__name__ not in _WRAPPERS:
        return None
    if _says_more(error):  # it is the driver's own
        return None
    return cause if type(cause).__name__ in _WRAPPERS or _says_more(cause) else None


def _says_more(error: BaseException) -> bool:
    return _sqlstate(error) is not None or _mysql_number(error) is not None


def _mysql_number(error: BaseException) -> int | None:
    if not any(kind.__module__.partition(".")[0] in _MYSQL for kind in type(error).__mro__):
        return None
    number = getattr(error, "errno", None)
    if number is None and error.args:
        number = error.args[0]
    return number if isinstance(number, int) else None


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
