"""Tokens and DSNs as commands make them: in the database, or by the worker that has its file."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from faultwire_consumer.cli.actor import user_name
from faultwire_consumer.cli.address import has_token
from faultwire_consumer.cli.client import ApiClient
from faultwire_consumer.cli.failure import USAGE, CommandError
from faultwire_consumer.cli.in_store import FileTakenError, in_store
from faultwire_consumer.cli.option import Output, Setting
from faultwire_consumer.cli.output import say
from faultwire_consumer.domain.access.audit import AuditSource
from faultwire_consumer.domain.access.invitation_link import page_root
from faultwire_consumer.domain.access.principal import Via
from faultwire_consumer.domain.query.value import end_of
from faultwire_shared.redact import redact_url

if TYPE_CHECKING:
    # SQLAlchemy is loaded by the command that needs it, and by no help.
    from faultwire_consumer.store.contract.store import Store

_PATH: Final = ("api", "v1", "access", "tokens")


def ask_either(
    setting: Setting,
    work: "Callable[[Store], Awaitable[Any]]",
    *path: str,
    body: Mapping[str, Any],
) -> Any:
    """Change tokens in the database, else by the API of the worker that has its SQLite file.

    Args:
        setting: names the database.
        work: makes the change there, and returns the API's answer.
        path: of the request that asks for the same, below that of all tokens.
        body: of that request.

    Returns:
        The API's document.

    Raises:
        CommandError: neither is possible; it says what would be.
    """
    try:
        return msgspec.to_builtins(in_store(setting, work))
    except FileTakenError as error:
        if not has_token():
            raise CommandError(
                f"{error}; or set FAULTWIRE_TOKEN to a token with the scope admin, and that worker is asked"
            ) from None
    client = ApiClient(Output(verbose=setting.verbose, quiet=setting.quiet))
    if not setting.quiet:
        say(f"a worker has the database's file: {redact_url(client.url)} is asked")
    return client.post(*_PATH, *path, body=body)


def command_source() -> AuditSource:
    """Return who runs the command, for the audit."""
    return AuditSource(actor=user_name(), via=Via.COMMAND)


def root_of(setting: Setting) -> str:
    """Return where SDKs reach the worker that the configuration is of."""
    config = setting.load(with_broker=False)
    return page_root(
        config.public_url,
        host=config.http_host,
        port=config.http_port,
        is_encrypted=config.http_tls is not None,
    )


def end_option(text: str, now: datetime) -> datetime | None:
    """Return the time in ``--expires``; None for never.

    Raises:
        CommandError: it is none.
    """
    try:
        return end_of(text, now=now)
    except ValueError as error:
        raise CommandError(f"--expires: {error}", USAGE) from None
