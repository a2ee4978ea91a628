"""Translation of database URLs as people write them into those of the drivers used here."""

import re
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from faultwire_consumer.domain.suggestion import suggest
from faultwire_shared.failure import ConfigurationError
from faultwire_shared.redact import redact_url

_POSTGRESQL: Final = ("postgresql", "postgres")
_PORT: Final = 5432
# libpq's list of hosts, which SQLAlchemy reads as a port: credentials end at the first @, as there.
_SEVERAL_HOSTS: Final = re.compile(
    r"(?P<head>[\w+]+://(?:[^:/@]*(?::[^@]*)?@)?)(?P<hosts>[^/?@]*,[^/?@]*)(?P<tail>[/?].*|)"
)
_TARGETS: Final = ("any", "primary", "standby", "prefer-standby", "read-write", "read-only")


class DatabaseUrlError(ConfigurationError, ValueError):
    """The text is not a usable database URL; the message says why, without the password."""


def parse_database_url(text: str, *, target: str = "read-write") -> URL:
    """Read ``sqlite:///file`` or ``postgresql://…`` (``postgres://`` too), without a driver's name.

    A PostgreSQL URL may name several hosts, as libpq's do: ``postgresql://user@one:5432,two:5433/database``.

    Args:
        text: the URL.
        target: the kind of server to choose among several hosts if the URL has no
            ``target_session_attrs``. A host that was demoted must not be written to, so the default
            is not libpq's ``any``.

    Raises:
        DatabaseUrlError: the scheme is another one, or the text is not a URL.
    """
    text, hosts = _split_hosts(text)
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise DatabaseUrlError(f"{redact_url(text)!r} is not a URL; use {_EXAMPLES}") from None
    scheme = url.drivername.partition("+")[0]
    if scheme == "sqlite":
        if not url.database or url.database == ":memory:":
            raise DatabaseUrlError(f"a SQLite database needs a file; use {_EXAMPLES}")
        return url.set(drivername="sqlite")
    if scheme in _POSTGRESQL:
        return url.set(drivername="postgresql+asyncpg", query=_asyncpg_query(url, hosts, target))
    raise DatabaseUrlError(f"{scheme!r} is not a database that faultwire knows; use {_EXAMPLES}")


_EXAMPLES: Final = "sqlite:///faultwire.db or postgresql://user:password@host/database"


def _split_hosts(text: str) -> tuple[str, list[tuple[str, int]]]:
    """Return the text without its list of hosts, and the list, which is empty if it names one host."""
    found = _SEVERAL_HOSTS.fullmatch(text)
    if found is None:
        return text, []
    return found["head"] + found["tail"], [_host_and_port(place) for place in found["hosts"].split(",")]


def _host_and_port(text: str) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or port == 0:
        raise DatabaseUrlError(f"{text!r} among the hosts is not host[:port] with a port between 1 and 65535")
    return host, port or _PORT


def _asyncpg_query(url: URL, hosts: list[tuple[str, int]], target: str) -> dict[str, tuple[str, ...] | str]:
    """Return the URL's query for asyncpg's connect(), which calls libpq's ``sslmode`` ``ssl``."""
    query = {"ssl" if name == "sslmode" else name: value for name, value in url.query.items()}
    if hosts:
        query["host"] = ",".join(host for host, _ in hosts)
        query["port"] = ",".join(str(port) for _, port in hosts)
        query.setdefault("target_session_attrs", target)
    wanted = query.get("target_session_attrs")
    if wanted is not None and wanted not in _TARGETS:
        hint = suggest(str(wanted), _TARGETS)
        raise DatabaseUrlError(f"target_session_attrs cannot be {str(wanted)[:40]!r}; {hint}")
    return query


def show_url(url: URL) -> str:
    """Return a driver's URL as people write it, without its password."""
    if not isinstance(url.query.get("host"), str):
        return url.render_as_string(hide_password=True).replace("+asyncpg", "")
    hosts, ports = (str(url.query[name]).split(",") for name in ("host", "port"))
    names = [f"[{host}]" if ":" in host else host for host in hosts]
    places = ",".join(f"{name}:{port}" for name, port in zip(names, ports, strict=True))
    user = f"{url.username}{':***' if url.password else ''}@" if url.username else ""
    return f"postgresql://{user}{places}/{url.database or ''}"


def sqlite_path(url: URL) -> Path:
    """Return the file of a SQLite URL."""
    return Path(url.database or "")
