"""Opens sessions of PostgreSQL with what an address asks for, also behind a pooler such as PgBouncer.

A pooler refuses, or passes over, settings in a session's first message; behind one they are set by a
statement. One that gives each transaction another session is refused: statements that are prepared, and
settings, belong to a session.
"""

import asyncio
import secrets
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import asyncpg

from faultwire_consumer.store.contract.libpq import TLS
from faultwire_consumer.store.contract.role import NAME
from faultwire_consumer.store.contract.store import StoreRefusedError, StoreUnavailableError
from faultwire_consumer.store.postgresql.host import Connect, HostChooser
from faultwire_shared.tls.refusal import why_refused

_FILES: Final = ("sslrootcert", "sslcert", "sslkey", "sslcrl")
_SYSTEM: Final = "system"
"""libpq's word for the certificates that the machine trusts."""
_OTHER_BACKEND: Final = "FW001"
_SEEN: Final = "FW002"
_LOOKS: Final = 3
_LOOK_SECONDS: Final = 2.0
_POOLED: Final = (
    "a pooler gives each transaction another session there (PgBouncer's pool_mode = transaction), and "
    "faultwire needs sessions of its own: name a pool with pool_mode = session, or the server itself"
)


class SessionOpener:
    """Opens connections for one pool. SQLAlchemy calls it in place of ``asyncpg.connect``."""

    def __init__(self, connect: Connect = asyncpg.connect) -> None:
        self._choose = HostChooser(connect)
        self._is_pooled: bool | None = None

    async def __call__(
        self,
        *,
        server_settings: Mapping[str, str] | None = None,
        application_name: str | None = None,
        options: str | None = None,
        connect_timeout: str = "0",
        **rest: Any,
    ) -> Any:
        """Open a connection.

        Raises:
            StoreRefusedError: somebody has to change something: a file of the address, or the pooler.
        """
        given = server_settings or {}
        named = {"application_name": application_name or given.get("application_name", NAME)}
        named |= {"options": options} if options else {}
        settings = {name: value for name, value in given.items() if name not in named}
        if int(connect_timeout) > 0:
            rest["timeout"] = float(connect_timeout)
        arguments = _with_tls(rest)
        if self._is_pooled is False:
            return await self._open(arguments, {**settings, **named})
        connection = await self._open(arguments, named)
        try:
            if self._is_pooled is None:
                self._is_pooled = await self._find_pooler(connection, arguments, named)
            if settings:
                await connection.execute(_set(settings))
        except BaseException:
            connection.terminate()
            raise
        return connection

    async def _open(self, arguments: Mapping[str, Any], settings: Mapping[str, str]) -> Any:
        try:
            return await self._choose(**arguments, server_settings=dict(settings))
        except asyncpg.exceptions.ClientConfigurationError as error:
            raise StoreRefusedError(str(error).partition("\n")[0]) from None
        except OSError as error:
            told = why_refused(error, "database_ca_file")
            if told is None:
                raise
            raise StoreUnavailableError(told) from None

    async def _find_pooler(
        self, connection: Any, arguments: Mapping[str, Any], settings: Mapping[str, str]
    ) -> bool:
        """Return True if somebody answers in the server's place.

        Raises:
            StoreRefusedError: and gives each transaction another session.
        """
        other = f"pg_backend_pid() <> {connection.get_server_pid()}"
        if not await _holds(connection, other, _OTHER_BACKEND):
            return False
        for _ in range(_LOOKS):
            mark = secrets.token_hex(8)
            await connection.execute(f"SET faultwire.seen_by = '{mark}'")
            if await self._sees(mark, arguments, settings):
                raise StoreRefusedError(_POOLED)
        return True

    async def _sees(self, mark: str, arguments: Mapping[str, Any], settings: Mapping[str, str]) -> bool:
        """Return True if another connection has the session that was marked; one that must wait has not."""
        second = await self._open(arguments, settings)
        try:
            async with asyncio.timeout(_LOOK_SECONDS):
                return await _holds(second, f"current_setting('faultwire.seen_by', true) = '{mark}'", _SEEN)
        except TimeoutError:
            return False
        finally:
            second.terminate()


def _set(settings: Mapping[str, str]) -> str:
    return "".join(f"SET {name} = '{value}';" for name, value in settings.items())


async def _holds(connection: Any, condition: str, code: str) -> bool:
    """Ask without a prepared statement, which a pooler might give to somebody else."""
    question = f"DO $$BEGIN IF {condition} THEN RAISE EXCEPTION SQLSTATE '{code}'; END IF; END$$"
    try:
        await connection.execute(question)
    except asyncpg.PostgresError as error:
        if error.sqlstate != code:
            raise
        return True
    return False


def _with_tls(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments with the address's words on TLS as asyncpg takes them: in an address."""
    words: dict[str, str] = {name: arguments.pop(name) for name in TLS if name in arguments}
    for name in _FILES:
        if name in words and words[name] != _SYSTEM:
            _check_readable(name, words[name])
    if words.get("sslrootcert") == _SYSTEM:
        return arguments | {"ssl": _system_context(words)}
    return arguments | ({"dsn": f"postgresql://?{urlencode(words)}"} if words else {})


def _check_readable(word: str, path: str) -> None:
    try:
        with Path(path).open("rb"):
            return
    except OSError as error:
        raise StoreRefusedError(f"{word}: cannot read {path}: {error.strerror}") from None


def _system_context(words: Mapping[str, str]) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if "sslcert" in words:
        context.load_cert_chain(words["sslcert"], words.get("sslkey"), words.get("sslpassword"))
    return context
