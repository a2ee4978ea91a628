"""Translation of drivers' errors into the store's own: unavailable, busy, too slow, or rejected rows.

Codes and classes are those of PostgreSQL's appendix A and SQLite's "Result and Error Codes".
"""

import sqlite3
from typing import Final

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from faultwire_consumer.store.contract.store import (
    RowsRejectedError,
    StoreBusyError,
    StoreRefusedError,
    StoreSlowError,
    StoreUnavailableError,
)
from faultwire_consumer.store.contract.url import show_url

# SQLSTATE classes that concern the data: 22 data exception, 23 integrity, 21 cardinality, 54 limits.
_REJECTED_CLASSES: Final = ("22", "23", "21", "54")

# Serialisation failure, deadlock, lock not available; too many connections, one of which is soon free.
_BUSY: Final = ("40001", "40P01", "55P03", "53300")

# The session was ended, or its connection broke: a new one may work.
_BROKEN: Final = ("08003", "08006", "57P01", "57P02", "57P05", "25P03")

# Cancelled: its own timeout in all but a few cases.
_SLOW: Final = "57014"

# Errors that concern every connection of the pool, or the server behind them: it was shut down or
# taken over (57P), its connections broke or are refused (08), or it became a standby (25006).
_DISTRUSTED: Final = ("08", "57P", "25006")

# A violated check; where the error names a table and no constraint, no partition takes the row.
_CHECK: Final = "23514"
# Of a login: wrong password or an unknown role (28), no such database, no right to connect to it.
_REFUSED: Final = ("28", "3D000", "42501")

# SQLite's errors for what is wrong with the rows and not with the database.
_SQLITE_REJECTED: Final = (sqlite3.IntegrityError, sqlite3.DataError, OverflowError, UnicodeError)
_SQLITE_BUSY: Final = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_PRIMARY_CODE: Final = 0xFF


def first_line(error: BaseException) -> str:
    """Return an error's text on one line."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    inner = cause.__cause__ if getattr(cause, "sqlstate", None) is None and cause.__cause__ else cause
    return str(inner).partition("\n")[0][:300] or type(inner).__name__


def sqlstate_of(error: BaseException) -> str | None:
    """Return PostgreSQL's code for an error, also where SQLAlchemy wrapped it."""
    inner = error.orig if isinstance(error, DBAPIError) else error
    state = getattr(inner, "sqlstate", None) or getattr(inner, "pgcode", None)
    return state if isinstance(state, str) else None


def translate(error: BaseException, *, is_broken: bool = False) -> StoreUnavailableError | RowsRejectedError:
    """Translate a driver's error; an unknown one counts as unavailable, so that nothing is lost.

    Disks that are full (53100), servers that are read-only (25006) and the like count as unavailable:
    to reject the rows would make dead letters of good events.

    Args:
        error: the driver's.
        is_broken: True if its connection is closed by now, so that a new one may work.
    """
    state = sqlstate_of(error)
    if state is None:
        kind = StoreBusyError if is_broken else StoreUnavailableError
        return kind(first_line(error))
    message = f"{first_line(error)} (SQLSTATE {state})"
    if lacks_partition(error):
        return StoreBusyError(message)
    if state[:2] in _REJECTED_CLASSES:
        return RowsRejectedError(message)
    if state == _SLOW:
        return StoreSlowError(message)
    return StoreBusyError(message) if state in _BUSY + _BROKEN else StoreUnavailableError(message)


def lacks_partition(error: BaseException) -> bool:
    """True if a day's partition is missing: the row is good, and fits once the partition is made.

    Told by the error's fields, since its text is in the server's language.
    """
    inner = error.orig if isinstance(error, DBAPIError) else error
    cause = getattr(inner, "__cause__", None) or inner
    return (
        sqlstate_of(error) == _CHECK
        and getattr(cause, "table_name", None) is not None
        and getattr(cause, "constraint_name", None) is None
    )


def breaks_trust(error: BaseException) -> bool:
    """True if the pool's other connections must be reopened before they are used again.

    That includes an error without a word from the server: the connection broke, or no answer came in
    time. A pool whose connections are all in use is not a reason.
    """
    if isinstance(error, PoolTimeoutError):
        return False
    state = sqlstate_of(error)
    return state is None or state.startswith(_DISTRUSTED)


def translate_sqlite(error: BaseException) -> StoreUnavailableError | RowsRejectedError:
    """Translate an error of SQLite's driver, by SQLite's own codes."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, _SQLITE_REJECTED):
        return RowsRejectedError(first_line(error))
    code = getattr(cause, "sqlite_errorcode", None)
    is_busy = isinstance(code, int) and code & _PRIMARY_CODE in _SQLITE_BUSY
    return StoreBusyError(first_line(error)) if is_busy else StoreUnavailableError(first_line(error))


def unavailable(error: BaseException, url: URL) -> StoreUnavailableError:
    """Return the error for a database that cannot be opened: its address without the password, and why."""
    kind = StoreRefusedError if refuses_login(error) else StoreUnavailableError
    return kind(f"{show_url(url)}: {first_line(error)}")


def refuses_login(error: BaseException) -> bool:
    """Return True if a connection was refused for a reason that no waiting mends."""
    return (sqlstate_of(error) or "").startswith(_REFUSED)
