"""Drivers' errors as ours: not now, or not these rows."""

from typing import Final

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError

from faultwire_consumer.store.contract import RowsRejectedError, StoreBusyError, StoreUnavailableError

# SQLSTATE classes that speak of the data: 22 data exception, 23 integrity, 21 cardinality, 54 limits.
_REJECTED_CLASSES: Final = ("22", "23", "21", "54")

# Serialisation failure, deadlock, lock not available, statement cancelled (its timeout).
_BUSY: Final = ("40001", "40P01", "55P03", "57014")


def first_line(error: BaseException) -> str:
    """What an error says, in one line."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    inner = cause.__cause__ if getattr(cause, "sqlstate", None) is None and cause.__cause__ else cause
    return str(inner).partition("\n")[0][:300] or type(inner).__name__


def sqlstate_of(error: BaseException) -> str | None:
    """PostgreSQL's code for an error, through SQLAlchemy's wrapping too."""
    inner = error.orig if isinstance(error, DBAPIError) else error
    state = getattr(inner, "sqlstate", None) or getattr(inner, "pgcode", None)
    return state if isinstance(state, str) else None


def translate(error: BaseException) -> StoreUnavailableError | RowsRejectedError:
    """Which of our two kinds a driver's error is; what is unknown counts as not now, so nothing is lost."""
    state = sqlstate_of(error)
    if state is not None and state[:2] in _REJECTED_CLASSES:
        return RowsRejectedError(f"{first_line(error)} (SQLSTATE {state})")
    return StoreBusyError(first_line(error)) if state in _BUSY else StoreUnavailableError(first_line(error))


def unavailable(error: BaseException, url: URL) -> StoreUnavailableError:
    """A database that cannot be opened, told with its address and without its password."""
    shown = url.render_as_string(hide_password=True).replace("+asyncpg", "")
    return StoreUnavailableError(f"{shown}: {first_line(error)}")
