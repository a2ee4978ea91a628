"""Translation of database URLs as people write them into those of the drivers used here."""

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from faultwire_consumer.store.contract.libpq import PLACE, WordError, read_words
from faultwire_shared.failure import ConfigurationError
from faultwire_shared.redact import redact_url

EXTRA: Final = "pip install 'faultwire[consumer,postgres]'"
_POSTGRESQL: Final = ("postgresql", "postgres")
_PORT: Final = 5432
# libpq's list of hosts, which SQLAlchemy reads as a port.
_SEVERAL_HOSTS: Final = re.compile(
    r"(?P<head>[\w+]+://(?:[^:/@]*(?::[^@]*)?@)?)(?P<hosts>[^/?@]*,[^/?@]*)(?P<tail>[/?].*|)"
)
_AUTHORITY: Final = re.compile(r"(?P<scheme>[\w+]+://)(?P<credentials>[^/?]*)@(?P<rest>.*)", re.DOTALL)


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
        DatabaseUrlError: the scheme is another one, the text is not a URL, or PostgreSQL's driver is
            missing.
    """
    written = text
    text, hosts = _split_hosts(_with_escaped_credentials(text))
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise DatabaseUrlError(f"{redact_url(written)!r} is not a URL; use {_EXAMPLES}") from None
    scheme = url.drivername.partition("+")[0]
    if scheme == "sqlite":
        return _sqlite(url)
    if scheme in _POSTGRESQL:
        if find_spec("asyncpg") is None:
            raise DatabaseUrlError(f"PostgreSQL needs the extra: {EXTRA}")
        try:
            return _postgresql(url, hosts, target)
        except WordError as error:
            raise DatabaseUrlError(f"{redact_url(written)}: {error}") from None
    raise DatabaseUrlError(f"{scheme!r} is not a database that faultwire knows; use {_EXAMPLES}")


_EXAMPLES: Final = "sqlite:///faultwire.db or postgresql://user:password@host/database"


def _with_escaped_credentials(text: str) -> str:
    """Take all before the last @ for the credentials: a password often holds one that nobody escaped."""
    found = _AUTHORITY.fullmatch(text)
    if found is None:
        return text
    return f"{found['scheme']}{found['credentials'].replace('@', '%40')}@{found['rest']}"


def _sqlite(url: URL) -> URL:
    if not url.database or url.database == ":memory:":
        raise DatabaseUrlError(f"a SQLite database needs a file; use {_EXAMPLES}")
    if url.query:
        raise DatabaseUrlError(f"{show_url(url)}: nothing may follow a SQLite file's name, and no ? be in it")
    return url.set(drivername="sqlite")


def _split_hosts(text: str) -> tuple[str, list[tuple[str, int]]]:
    """Return the text without its list of hosts, and the list, which is empty if it names one host."""
    found = _SEVERAL_HOSTS.fullmatch(text)
    if found is None:
        return text, []
    return found["head"] + found["tail"], _places(found["hosts"].split(","))


def _places(texts: list[str]) -> list[tuple[str, int]]:
    return [_host_and_port(text) for text in texts]


def _host_and_port(text: str) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or port == 0:
        raise DatabaseUrlError(f"{text!r} among the hosts is not host[:port] with a port between 1 and 65535")
    return host, port or _PORT


def _postgresql(url: URL, hosts: list[tuple[str, int]], target: str) -> URL:
    """Return the URL for our own opener of connections, whose arguments its query holds."""
    words = read_words(url.query)
    url = url.set(
        drivername="postgresql+asyncpg",
        username=words.pop("user", url.username),
        password=words.pop("password", url.password),
        database=words.pop("dbname", url.database),
    )
    host, port, address = (words.pop(name, None) for name in PLACE)
    if host is not None or port is not None:
        hosts, url = _place_of(url, host or url.host or "", port)
    elif url.host is not None and "%" in url.host:
        url = url.set(host=unquote(url.host))  # libpq's way to write a socket's directory
    if address is not None:
        url = _at_address(url, address, hosts, words)
    if hosts:
        words["host"] = ",".join(one for one, _ in hosts)
        words["port"] = ",".join(str(one) for _, one in hosts)
        words.setdefault("target_session_attrs", target)
    return url.set(query=words)


def _place_of(url: URL, host: str, port: str | None) -> tuple[list[tuple[str, int]], URL]:
    """Read ``host`` and ``port`` as they stand behind the ``?``, where they win."""
    names, ports = host.split(","), (port or "").split(",")
    if len(ports) == 1:
        ports *= len(names)
    if len(ports) != len(names) or not all(one == "" or _is_port(one) for one in ports):
        raise WordError(f"port cannot be {(port or '')[:40]!r} for {len(names)} hosts")
    if len(names) == 1:
        number = int(ports[0]) if ports[0] else url.port
        return [], url.set(host=names[0], port=number)
    return [(name, int(one) if one else _PORT) for name, one in zip(names, ports, strict=True)], url.set(
        host=""
    )


def _is_port(text: str) -> bool:
    return text.isdecimal() and 0 < int(text) < 65536


def _at_address(url: URL, address: str, hosts: list[tuple[str, int]], words: dict[str, str]) -> URL:
    if hosts or "," in address:
        raise WordError("hostaddr cannot stand beside several hosts")
    if words.get("sslmode") == "verify-full":
        raise WordError(
            "hostaddr cannot stand beside sslmode=verify-full: faultwire's driver verifies the host"
        )
    return url.set(host=address)


def show_url(url: URL) -> str:
    """Return a driver's URL as people write it, without its password and what stands behind the ``?``."""
    if not url.drivername.startswith("postgresql"):
        return url.set(query={}).render_as_string(hide_password=True)
    host, port = url.query.get("host"), url.query.get("port")
    if isinstance(host, str) and isinstance(port, str):
        places = ",".join(
            f"{_bracketed(one)}:{number}"
            for one, number in zip(host.split(","), port.split(","), strict=True)
        )
    else:
        places = f"{_bracketed(url.host or '')}{f':{url.port}' if url.port else ''}"
    user = f"{url.username}{':***' if url.password else ''}@" if url.username else ""
    return f"postgresql://{user}{places}/{url.database or ''}"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def sqlite_path(url: URL) -> Path:
    """Return the file of a SQLite URL."""
    return Path(url.database or "")
