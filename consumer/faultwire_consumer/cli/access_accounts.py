"""``faultwire access``: people, looked after in the database itself, as the first of them must be."""

import secrets
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import msgspec
from cyclopts import App, Parameter

from faultwire_consumer.cli.actor import user_name
from faultwire_consumer.cli.failure import USAGE, CommandError
from faultwire_consumer.cli.in_store import in_store
from faultwire_consumer.cli.option import SETTING, Flag, Limit, Output, Setting, Texts
from faultwire_consumer.cli.output import print_json, print_list, say
from faultwire_consumer.domain.access.audit import AuditSource
from faultwire_consumer.domain.access.invitation_link import invitation_link, page_root
from faultwire_consumer.domain.access.principal import Via
from faultwire_consumer.domain.access.scope import AccountRole
from faultwire_consumer.domain.query.value import moment_of
from faultwire_shared.clock import utc_now
from faultwire_shared.taxonomy import BusinessError, ValidationError

if TYPE_CHECKING:
    # SQLAlchemy is loaded by the command that needs it, and by no help.
    from faultwire_consumer.store.contract.store import Store

T = TypeVar("T")
_SECRET_BYTES: Final = 32
_ACCOUNTS: Final = ("name", "role", "state", "signs_in", "created_at")
_AUDIT: Final = ("at", "actor", "via", "action", "object", "detail", "address")
Name = Annotated[str, Parameter(name="NAME")]
Role = Annotated[AccountRole, Parameter(name="ROLE")]


def add_to(app: App) -> None:
    """Add the commands to the noun."""
    for command in (invite, accounts, role, disable, enable, sign_out, audit):
        app.command(command)


def invite(
    name: Name, /, *, role: AccountRole | None = None, json: Flag = False, setting: Setting = SETTING
) -> None:
    """Print a link by which somebody sets a password, within a day and once.

    For a new account it needs --role. For an account that stands it is how a forgotten password is
    replaced. The link alone goes to stdout. A SQLite file belongs to its worker while that runs.

    Args:
        name: Of the account, as ada or ada@example.com.
        role: viewer reads, operator acts too, admin looks after accounts and tokens too.
        json: Print one JSON document.
    """
    secret = secrets.token_urlsafe(_SECRET_BYTES)

    async def make(store: "Store") -> Any:
        from faultwire_consumer.actions.accounts import invite_account  # noqa: PLC0415 - see above

        return await invite_account(store, name, role, secret=secret, source=_source(), now=utc_now())

    made = _in_store(setting, make)
    config = setting.load(with_broker=False)
    root = page_root(
        config.public_url,
        host=config.http_host,
        port=config.http_port,
        is_encrypted=config.http_tls is not None,
    )
    link = invitation_link(root, secret)
    if json:
        print_json({"name": name, "role": made.role, "link": link, "expires_at": made.expires_at.isoformat()})
        return
    sys.stdout.write(f"{link}\n")
    if not setting.quiet:
        say(f"{name} ({made.role}) sets a password by it, once, until {made.expires_at:%Y-%m-%d %H:%M} UTC")
        if config.public_url is None:
            say("it is for this machine; set public_url to where people reach the page")


def accounts(*, json: Flag = False, setting: Setting = SETTING) -> None:
    """List accounts by name, the disabled ones too.

    Args:
        json: Print one JSON document.
    """

    async def read(store: "Store") -> Any:
        from faultwire_consumer.store.access.accounts import list_accounts  # noqa: PLC0415 - see above

        return await list_accounts(store)

    found: list[dict[str, Any]] = msgspec.to_builtins(_in_store(setting, read, only_reads=True))
    rows = found if json else [_line(account) for account in found]
    print_list({"accounts": rows}, "accounts", _ACCOUNTS, Output(json=json, quiet=setting.quiet))


def _line(account: dict[str, Any]) -> dict[str, Any]:
    way = "by a password" if account["has_password"] else account["oidc_issuer"] or "by a proxy"
    return account | {"state": "disabled" if account["disabled_at"] else "active", "signs_in": way}


def role(name: Name, role: Role, /, *, new: Flag = False, setting: Setting = SETTING) -> None:
    """Give an account another role, which signs it out everywhere.

    Args:
        name: Of the account.
        role: viewer, operator or admin.
        new: Make the account if there is none: for somebody whom a proxy knows, who needs no link.
    """

    async def change(store: "Store") -> bool:
        from faultwire_consumer.actions import accounts as part  # noqa: PLC0415 - see above

        source, now = _source(), utc_now()
        if new and await part.add_without_password(store, name, role, source=source, now=now):
            return True
        await part.change_role(store, name, role, source=source, now=now, spares_last_admin=False)
        return False

    made = _in_store(setting, change)
    if not setting.quiet:
        say(f"{name} is {role}{', a new account' if made else ' from the next sign-in on'}")


def disable(name: Name, /, *, setting: Setting = SETTING) -> None:
    """Sign an account out everywhere, at once, and let it in no more; histories keep its name.

    Args:
        name: Of the account.
    """

    async def change(store: "Store") -> None:
        from faultwire_consumer.actions.accounts import disable_account  # noqa: PLC0415 - see above

        await disable_account(store, name, source=_source(), now=utc_now(), spares_last_admin=False)

    _in_store(setting, change)
    if not setting.quiet:
        say(f"{name} is signed out and disabled")


def enable(name: Name, /, *, setting: Setting = SETTING) -> None:
    """Let a disabled account in again, with the password that it had.

    Args:
        name: Of the account.
    """

    async def change(store: "Store") -> None:
        from faultwire_consumer.actions.accounts import enable_account  # noqa: PLC0415 - see above

        await enable_account(store, name, source=_source(), now=utc_now())

    _in_store(setting, change)
    if not setting.quiet:
        say(f"{name} can sign in again")


def sign_out(name: Name, /, *, setting: Setting = SETTING) -> None:
    """End every session of an account, in all browsers; it may sign in again.

    Args:
        name: Of the account.
    """

    async def change(store: "Store") -> int:
        from faultwire_consumer.actions.accounts import sign_out_everywhere  # noqa: PLC0415 - see above

        return await sign_out_everywhere(store, name, source=_source(), now=utc_now())

    ended = _in_store(setting, change)
    if not setting.quiet:
        say(f"{name} is signed out; sessions that were ended: {ended}")


def audit(
    *,
    actor: Texts = (),
    action: Texts = (),
    object_: Annotated[Texts, Parameter(name="--object")] = (),
    since: str | None = None,
    limit: Limit = 50,
    cursor: str | None = None,
    json: Flag = False,
    jsonl: Flag = False,
    setting: Setting = SETTING,
) -> None:
    """List who did what, the newest first: sign-ins, accounts, tokens, acts. It is kept for 400 days.

    Args:
        actor: By this name, as ada or token:ci; may be repeated.
        action: Of this kind, as session.opened; may be repeated.
        object_: Done to this account, token or incident; may be repeated.
        since: Not before, as 24h or 2026-11-23.
        limit: How many.
        cursor: Go on where a list ended.
        json: Print one JSON document.
        jsonl: Print one JSON document a line.
    """
    try:
        moment = moment_of(since, now=utc_now()) if since is not None else None
    except ValueError as error:
        raise CommandError(f"--since: {error}", USAGE) from None

    async def read(store: "Store") -> Any:
        from faultwire_consumer.store.access import audit as part  # noqa: PLC0415 - see above
        from faultwire_consumer.store.contract.paging import BadCursorError  # noqa: PLC0415 - see above

        wanted = part.AuditFilter(actor=actor, action=action, object=object_, since=moment)
        try:
            return await part.list_audit(store, wanted, limit=limit, cursor=cursor)
        except BadCursorError as error:
            raise CommandError(f"--cursor: {error}", USAGE) from None

    page: dict[str, Any] = msgspec.to_builtins(_in_store(setting, read, only_reads=True))
    document = {"entries": page["rows"], "next_cursor": page["next_cursor"]}
    print_list(document, "entries", _AUDIT, Output(json=json, jsonl=jsonl, quiet=setting.quiet))


def _source() -> AuditSource:
    return AuditSource(actor=user_name(), via=Via.COMMAND)


def _in_store(setting: Setting, work: Callable[["Store"], Awaitable[T]], *, only_reads: bool = False) -> T:
    try:
        return in_store(setting, work, only_reads=only_reads)
    except ValidationError as error:
        raise CommandError(str(error), USAGE) from None
    except BusinessError as error:
        raise CommandError(str(error)) from None
