"""``faultwire access``: who may ask. Tokens are made here, in the database itself."""

import secrets
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from cyclopts import App, Parameter

from faultwire_consumer.cli.access_accounts import add_to
from faultwire_consumer.cli.actor import user_name
from faultwire_consumer.cli.failure import USAGE, CommandError
from faultwire_consumer.cli.in_store import in_store
from faultwire_consumer.cli.option import SETTING, Flag, Limit, Output, Setting, Texts, Values
from faultwire_consumer.cli.output import print_json, print_list, say
from faultwire_consumer.domain.access.audit import AuditSource
from faultwire_consumer.domain.access.principal import Via
from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.domain.access.token import AccessToken, TokenDraft, find_fault
from faultwire_consumer.domain.access.token_shape import IssuedToken, TokenList, token_shape
from faultwire_consumer.domain.query.value import end_of
from faultwire_shared.clock import utc_now

if TYPE_CHECKING:
    # SQLAlchemy is loaded by the command that needs it, and by no help.
    from faultwire_consumer.store.contract.store import Store

_COLUMNS: Final = (
    "id", "name", "state", "scopes", "services", "last_used_on", "expires_at", "created_by", "prefix",
)  # fmt: skip

app = App(name="access")
token = App(name="token", help="Make, list and revoke tokens, by which programs are known.")
app.command(token)
add_to(app)


@token.command
def create(
    name: Annotated[str, Parameter(name="NAME")],
    *,
    scope: Annotated[tuple[AccessScope, ...], Values],
    service: Texts = (),
    expires: str = "365d",
    json: Flag = False,
    setting: Setting = SETTING,
) -> None:
    """Make a token, and print it this once: the database keeps only its digest.

    It alone goes to stdout, so that it can be put into a file. This asks the database and no worker, as
    the database's upgrade does; a SQLite file belongs to its worker while that runs.

    Args:
        name: What histories call the program, as billing-ci. Its next token may have the same name.
        scope: What it may do; may be repeated.
        service: Whose events it may bring: billing, web-*, or * for all; may be repeated. Of --scope ingest.
        expires: When it ends: 90d, 2027-06-30, or never.
        json: Print one JSON document.
    """
    now = utc_now()
    draft = TokenDraft(name=name, scopes=frozenset(scope), services=service, expires_at=_end_of(expires, now))
    made, text = in_store(setting, lambda store: _issue(store, draft, now))
    if json:
        print_json(msgspec.to_builtins(IssuedToken(token=text, access_token=token_shape(made, now))))
        return
    sys.stdout.write(f"{text}\n")
    if not setting.quiet:
        until = "for good" if made.expires_at is None else f"until {made.expires_at:%Y-%m-%d}"
        say(f"this is {name}'s {until}; it is shown this once")


async def _issue(store: "Store", draft: TokenDraft, now: datetime) -> tuple[AccessToken, str]:
    from faultwire_consumer.store.access import tokens  # noqa: PLC0415 - see above

    try:
        async with store.write() as tx:
            return await tokens.issue_token(tx, draft, source=_source(), now=now, draw=secrets.randbelow)
    except tokens.TokenDraftError as error:
        raise CommandError(str(error), USAGE) from None


def _source() -> AuditSource:
    return AuditSource(actor=user_name(), via=Via.COMMAND)


def _end_of(text: str, now: datetime) -> datetime | None:
    try:
        return end_of(text, now=now)
    except ValueError as error:
        raise CommandError(f"--expires: {error}", USAGE) from None


@token.command(name="list")
def list_(
    *,
    limit: Limit = 50,
    cursor: str | None = None,
    json: Flag = False,
    wide: Flag = False,
    setting: Setting = SETTING,
) -> None:
    """List tokens, the newest first, also those that hold no longer.

    Args:
        limit: How many.
        cursor: Go on where a list ended.
        json: Print one JSON document.
        wide: Print every column and nothing cut, however wide it gets.
    """

    async def read(store: "Store") -> TokenList:
        from faultwire_consumer.store.access.tokens import list_tokens  # noqa: PLC0415 - see above
        from faultwire_consumer.store.contract.paging import BadCursorError  # noqa: PLC0415 - see above

        try:
            page, now = await list_tokens(store, limit=limit, cursor=cursor), utc_now()
        except BadCursorError as error:
            raise CommandError(f"--cursor: {error}", USAGE) from None
        rows = tuple(token_shape(one, now) for one in page.rows)
        return TokenList(tokens=rows, next_cursor=page.next_cursor)

    document: dict[str, Any] = msgspec.to_builtins(in_store(setting, read, only_reads=True))
    if not json:
        document["tokens"] = [_line(one) for one in document["tokens"]]
    print_list(document, "tokens", _COLUMNS, Output(json=json, wide=wide, quiet=setting.quiet))


def _line(row: dict[str, Any]) -> dict[str, Any]:
    return row | {name: " ".join(row[name]) for name in ("scopes", "services")}


@token.command
def revoke(named: Annotated[str, Parameter(name="TOKEN")], *, setting: Setting = SETTING) -> None:
    """Revoke a token for good; a worker that has just let it in does so for five seconds more at most.

    Args:
        named: Its name, where one token has it, its prefix (fwt_ and eight characters), or its number.
    """
    revoked = in_store(setting, lambda store: _revoke(store, named))
    if not setting.quiet:
        say(f"{revoked.prefix} of {revoked.name} is revoked")


async def _revoke(store: "Store", named: str) -> AccessToken:
    from faultwire_consumer.store.access import tokens  # noqa: PLC0415 - see above

    now = utc_now()
    found = await tokens.find_named(store, named)
    held = [one for one in found if find_fault(one, now) is None] or found
    if not held:
        raise CommandError(f"there is no token {named[:100]}; `faultwire access token list` shows all")
    if len(held) > 1:
        several = ", ".join(one.prefix for one in held)
        raise CommandError(f"{named[:100]} names several tokens; say which: {several}", USAGE)
    async with store.write() as tx:
        revoked = await tokens.revoke_token(tx, held[0].id, source=_source(), now=now)
    return held[0] if revoked is None else revoked
