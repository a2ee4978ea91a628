"""``faultwire access``: who may ask. Tokens are made here, in the database itself."""

import secrets
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from cyclopts import App, Parameter

from faultwire_consumer.cli import access_accounts, access_dsn
from faultwire_consumer.cli.access_dsn import DsnAsked, make_dsn
from faultwire_consumer.cli.failure import USAGE, CommandError
from faultwire_consumer.cli.in_store import in_store
from faultwire_consumer.cli.issuing import ask_either, command_source, end_option, root_of
from faultwire_consumer.cli.option import SETTING, Flag, Limit, Output, Setting, Texts, Values
from faultwire_consumer.cli.output import print_json, print_list, say
from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.domain.access.token import AccessToken, TokenDraft, find_fault
from faultwire_consumer.domain.access.token_shape import IssuedToken, TokenList, token_shape
from faultwire_shared.clock import utc_now

if TYPE_CHECKING:
    # SQLAlchemy is loaded by the command that needs it, and by no help.
    from faultwire_consumer.store.contract.store import Store

_COLUMNS: Final = (
    "id", "name", "state", "scopes", "services", "kind", "project", "last_used_on", "expires_at",
    "created_by", "prefix",
)  # fmt: skip

app = App(name="access")
token = App(name="token", help="Make, list and revoke tokens and DSNs, by which programs are known.")
app.command(token)
access_accounts.add_to(app)
access_dsn.add_to(token)


@token.command
def create(
    name: Annotated[str | None, Parameter(name="NAME", show_default=False)] = None,
    *,
    scope: Annotated[tuple[AccessScope, ...], Values] = (),
    service: Texts = (),
    sentry_dsn: Annotated[str | None, Parameter(name="--sentry-dsn", show_default=False)] = None,
    key: Annotated[str | None, Parameter(show_default=False)] = None,
    project: Annotated[int | None, Parameter(show_default=False)] = None,
    origin: Texts = (),
    expires: Annotated[str | None, Parameter(show_default=False)] = None,
    json: Flag = False,
    setting: Setting = SETTING,
) -> None:
    """Make a token, and print it this once: the database keeps only its digest. Or make a DSN.

    It alone goes to stdout, so that it can be put into a file. This asks the database and no worker, as
    the database's upgrade does; a SQLite file belongs to its worker while that runs, which is then asked
    at FAULTWIRE_URL, if FAULTWIRE_TOKEN has the scope admin.

    Args:
        name: What histories call the program, as billing-ci. Its next token may have the same name. A DSN
            is named after its service if you name none.
        scope: What it may do; may be repeated.
        service: Whose events it may bring: billing, web-*, or * for all; may be repeated. Of --scope ingest.
        sentry_dsn: Make a DSN of this service, for SDKs made for Sentry. It holds no secret: `faultwire
            access token dsn` prints it again.
        key: The public key of an old DSN, which is taken over.
        project: The project of an old DSN; else the next number that is free.
        origin: Pages that may send by the DSN: https://shop.example, https://*.shop.example or
            http://localhost:*; may be repeated. Without it, all may.
        expires: When it ends: 90d, 2027-06-30, or never. A token ends after 365d if you do not say; a DSN
            never.
        json: Print one JSON document.
    """
    if sentry_dsn is not None:
        if scope or service:
            raise CommandError("--sentry-dsn says the service, and its scope: leave the others out", USAGE)
        asked = DsnAsked(name, sentry_dsn, key, project, origin, expires)
        make_dsn(asked, json=json, setting=setting)
        return
    if key is not None or project is not None or origin:
        raise CommandError("--key, --project and --origin are of --sentry-dsn SERVICE", USAGE)
    if name is None or not scope:
        raise CommandError("a token takes a NAME and --scope; a DSN takes --sentry-dsn SERVICE", USAGE)
    now = utc_now()
    ends_at = end_option(expires or "365d", now)
    draft = TokenDraft(name=name, scopes=frozenset(scope), services=service, expires_at=ends_at)
    _make(draft, now, json=json, setting=setting)


def _make(draft: TokenDraft, now: datetime, *, json: bool, setting: Setting) -> None:
    async def make(store: "Store") -> IssuedToken:
        made, text = await _issue(store, draft, now)
        return IssuedToken(token=text, access_token=token_shape(made, now, root=root_of(setting)))

    document = ask_either(setting, make, body=msgspec.to_builtins(draft))
    if json:
        print_json(document)
        return
    sys.stdout.write(f"{document['token']}\n")
    if not setting.quiet:
        until = "for good" if draft.expires_at is None else f"until {draft.expires_at:%Y-%m-%d}"
        say(f"this is {draft.name}'s {until}; it is shown this once")


async def _issue(store: "Store", draft: TokenDraft, now: datetime) -> tuple[AccessToken, str]:
    from faultwire_consumer.store.access import tokens  # noqa: PLC0415 - see above

    try:
        async with store.write() as tx:
            return await tokens.issue_token(
                tx, draft, source=command_source(), now=now, draw=secrets.randbelow
            )
    except tokens.TokenDraftError as error:
        raise CommandError(str(error), USAGE) from None


@token.command(name="list")
def list_(
    *,
    limit: Limit = 50,
    cursor: str | None = None,
    json: Flag = False,
    wide: Flag = False,
    setting: Setting = SETTING,
) -> None:
    """List tokens and DSNs, the newest first, also those that hold no longer.

    Args:
        limit: How many.
        cursor: Go on where a list ended.
        json: Print one JSON document.
        wide: Print every column and nothing cut, however wide it gets.
    """
    root = root_of(setting)

    async def read(store: "Store") -> TokenList:
        from faultwire_consumer.store.access.tokens import list_tokens  # noqa: PLC0415 - see above
        from faultwire_consumer.store.contract.paging import BadCursorError  # noqa: PLC0415 - see above

        try:
            page, now = await list_tokens(store, limit=limit, cursor=cursor), utc_now()
        except BadCursorError as error:
            raise CommandError(f"--cursor: {error}", USAGE) from None
        rows = tuple(token_shape(one, now, root=root) for one in page.rows)
        return TokenList(tokens=rows, next_cursor=page.next_cursor)

    document: dict[str, Any] = msgspec.to_builtins(in_store(setting, read, only_reads=True))
    if not json:
        document["tokens"] = [_line(one) for one in document["tokens"]]
    print_list(document, "tokens", _COLUMNS, Output(json=json, wide=wide, quiet=setting.quiet))


def _line(row: dict[str, Any]) -> dict[str, Any]:
    return row | {name: " ".join(row[name]) for name in ("scopes", "services")}


@token.command
def revoke(named: Annotated[str, Parameter(name="TOKEN")], *, setting: Setting = SETTING) -> None:
    """Revoke a token or DSN for good; a worker that has just let it in does so for five seconds more at most.

    Args:
        named: Its name, where one token has it, its prefix (fwt_ and eight characters), or its number.
    """
    one = in_store(setting, lambda store: _find(store, named), only_reads=True)

    async def work(store: "Store") -> None:
        from faultwire_consumer.store.access.tokens import revoke_token  # noqa: PLC0415 - see above

        async with store.write() as tx:
            await revoke_token(tx, one.id, source=command_source(), now=utc_now())

    ask_either(setting, work, str(one.id), "revoke", body={})
    if not setting.quiet:
        say(f"{one.prefix} of {one.name} is revoked")


async def _find(store: "Store", named: str) -> AccessToken:
    from faultwire_consumer.store.access.tokens import find_named  # noqa: PLC0415 - see above

    found, now = await find_named(store, named), utc_now()
    held = [one for one in found if find_fault(one, now) is None] or found
    if not held:
        raise CommandError(f"there is no token {named[:100]}; `faultwire access token list` shows all")
    if len(held) > 1:
        several = ", ".join(one.prefix for one in held)
        raise CommandError(f"{named[:100]} names several tokens; say which: {several}", USAGE)
    return held[0]
