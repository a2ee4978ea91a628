"""Links that set a password, as the API and the page have them made."""

import secrets
from typing import Final

from aiohttp import web
from msgspec import Struct

from faultwire_consumer.actions.accounts import invite_account
from faultwire_consumer.domain.access.invitation_link import invitation_link
from faultwire_consumer.domain.access.scope import AccountRole
from faultwire_consumer.store.access.invitations import SingleUse
from faultwire_consumer.web.access.visitor import source_of
from faultwire_consumer.web.request import root_of
from faultwire_consumer.web.state import CLOCK, STORE

_SECRET_BYTES: Final = 32


class MadeLink(Struct, frozen=True):
    """A link and what it is for; its address holds the secret, and is told this once."""

    use: SingleUse
    address: str


async def make_link(request: web.Request, name: str, role: AccountRole | None) -> MadeLink:
    """Make a link that sets a password: of a new account with a role, or of one that stands.

    Raises:
        ValidationError: the name cannot be one, or a new account has no role.
        AccountConflictError: the account is disabled, signs in elsewhere, or has another role.
    """
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    use = await invite_account(
        request.app[STORE], name, role, secret=secret, source=source_of(request), now=request.app[CLOCK]()
    )
    return MadeLink(use, invitation_link(root_of(request), secret))
