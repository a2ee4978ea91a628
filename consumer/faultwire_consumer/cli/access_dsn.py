"""``faultwire access token``: DSNs, which SDKs made for Sentry are given; made, and printed again."""

import secrets
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import App, Parameter

from faultwire_consumer.cli.failure import USAGE, CommandError
from faultwire_consumer.cli.in_store import in_store
from faultwire_consumer.cli.issuing import ask_either, command_source, end_option, root_of
from faultwire_consumer.cli.option import SETTING, Setting
from faultwire_consumer.cli.output import print_json, say
from faultwire_consumer.domain.access.dsn import dsn_of
from faultwire_consumer.domain.access.dsn_draft import DsnDraft
from faultwire_consumer.domain.access.token import AccessToken, TokenFault, find_fault
from faultwire_consumer.domain.access.token_shape import IssuedToken, token_shape
from faultwire_shared.clock import utc_now

if TYPE_CHECKING:
    # SQLAlchemy is loaded by the command that needs it, and by no help.
    from faultwire_consumer.store.contract.store import Store

_OPTIONS: Final = {"service": "--sentry-dsn", "origins": "--origin", "expires_at": "--expires"}
"""The options in which a field was given; the others have the fields' names."""


@dataclass(frozen=True)
class DsnAsked:
    """A DSN as the command line asks for it."""

    name: str | None
    service: str
    key: str | None
    project: int | None
    origin: tuple[str, ...]
    expires: str | None

    def draft(self, now: datetime) -> DsnDraft:
        """Return it as it is made."""
        return DsnDraft(
            name=self.name or "",
            service=self.service,
            key=self.key,
            project=self.project,
            origins=self.origin,
            expires_at=end_option(self.expires or "never", now),
        )


def add_to(app: App) -> None:
    """Add the command to the noun."""
    app.command(dsn)


def make_dsn(asked: DsnAsked, *, json: bool, setting: Setting) -> None:
    """Make a DSN and print it, it alone to stdout."""
    now = utc_now()
    draft = asked.draft(now)

    async def make(store: "Store") -> IssuedToken:
        made = await _issue(store, draft, now)
        return IssuedToken(token=None, access_token=token_shape(made, now, root=root_of(setting)))

    document = ask_either(setting, make, body=_body_of(draft))
    if json:
        print_json(document)
        return
    made = document["access_token"]
    sys.stdout.write(f"{made['dsn']}\n")
    if setting.quiet:
        return
    until = "for good" if draft.expires_at is None else f"until {draft.expires_at:%Y-%m-%d}"
    say(
        f"this is the DSN of {made['name']}, {until}; it is no secret, and `access token dsn` prints it again"
    )
    _say_where(setting)


def dsn(named: Annotated[str, Parameter(name="TOKEN")], *, setting: Setting = SETTING) -> None:
    """Print a DSN again; it alone goes to stdout. It is no secret.

    Args:
        named: Its name, where one DSN has it, its prefix (fwt_ and eight characters), or its number.
    """
    one = _the_one(in_store(setting, lambda store: _find(store, named), only_reads=True), named)
    sys.stdout.write(f"{dsn_of(root_of(setting), one.public_key or '', one.project or 0)}\n")
    if not setting.quiet:
        if find_fault(one, utc_now()) is TokenFault.EXPIRED:
            say(f"it has expired; revoke it by `faultwire access token revoke {one.prefix}` and make another")
        _say_where(setting)


async def _issue(store: "Store", draft: DsnDraft, now: datetime) -> AccessToken:
    from faultwire_consumer.store.access.dsns import issue_dsn  # noqa: PLC0415 - see above
    from faultwire_consumer.store.access.tokens import TokenDraftError  # noqa: PLC0415 - see above

    try:
        async with store.write() as tx:
            return await issue_dsn(tx, draft, source=command_source(), now=now, draw=secrets.randbelow)
    except TokenDraftError as error:
        option = _OPTIONS.get(error.fault.field, f"--{error.fault.field}")
        raise CommandError(f"{option}: {error}", USAGE) from None


async def _find(store: "Store", named: str) -> tuple[AccessToken, ...]:
    from faultwire_consumer.store.access.tokens import find_named  # noqa: PLC0415 - see above

    return await find_named(store, named)


def _the_one(found: Sequence[AccessToken], named: str) -> AccessToken:
    """Return the DSN that is meant.

    Raises:
        CommandError: there is none, or there are several; it says which.
    """
    dsns = [one for one in found if one.public_key is not None]
    held = [one for one in dsns if one.revoked_at is None]
    if len(held) == 1:
        return held[0]
    if held:
        several = ", ".join(f"{one.prefix} (project {one.project})" for one in held)
        raise CommandError(f"{named[:100]} names several DSNs; say which: {several}", USAGE)
    if dsns:
        raise CommandError(f"the DSN {named[:100]} is revoked")
    if found:
        raise CommandError(f"{named[:100]} is no DSN but a token, which was shown once")
    raise CommandError(f"there is no DSN {named[:100]}; `faultwire access token list` shows all")


def _body_of(draft: DsnDraft) -> dict[str, Any]:
    """The same as the API is asked for it."""
    end = None if draft.expires_at is None else draft.expires_at.isoformat()
    dsn = {"key": draft.key, "project": draft.project, "origins": draft.origins}
    return {"name": draft.name, "services": [draft.service], "expires_at": end, "sentry_dsn": dsn}


def _say_where(setting: Setting) -> None:
    if setting.load(with_broker=False).public_url is None:
        say("it is for this machine; set public_url to where SDKs reach the worker")
