"""Database URLs as people write them, to the drivers that are used here."""

from pathlib import Path
from typing import Final

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from faultwire_shared.redact import redact_url

_POSTGRESQL: Final = ("postgresql", "postgres")


class DatabaseUrlError(ValueError):
    """The text is no database URL that can be used; it says why, without the password."""


def parse_database_url(text: str) -> URL:
    """Read ``sqlite:///file`` or ``postgresql://…`` (``postgres://`` too), without a driver's name.

    Raises:
        DatabaseUrlError: another scheme, or nothing that reads as a URL.
    """
    try:
        url = make_url(text)
    except ArgumentError:
        raise DatabaseUrlError(f"{redact_url(text)!r} is no URL; use {_EXAMPLES}") from None
    scheme = url.drivername.partition("+")[0]
    if scheme == "sqlite":
        if not url.database or url.database == ":memory:":
            raise DatabaseUrlError(f"a SQLite database needs a file; use {_EXAMPLES}")
        return url.set(drivername="sqlite")
    if scheme in _POSTGRESQL:
        return url.set(drivername="postgresql+asyncpg", query=_asyncpg_query(url))
    raise DatabaseUrlError(f"{scheme!r} is no database that faultwire knows; use {_EXAMPLES}")


_EXAMPLES: Final = "sqlite:///faultwire.db or postgresql://user:password@host/database"


def _asyncpg_query(url: URL) -> dict[str, tuple[str, ...] | str]:
    """SQLAlchemy hands the query to asyncpg's connect(), whose word for libpq's ``sslmode`` is ``ssl``."""
    return {"ssl" if name == "sslmode" else name: value for name, value in url.query.items()}


def sqlite_path(url: URL) -> Path:
    """The file of a SQLite URL."""
    return Path(url.database or "")
