"""The name under which a change goes into a history."""

from aiohttp import web

from faultwire_consumer.domain.access.principal import Via
from faultwire_consumer.serving.principal import PRINCIPAL
from faultwire_consumer.web.request import check_text
from faultwire_shared.taxonomy import FieldError, ValidationError


def actor_of(request: web.Request, claimed: str | None = None) -> str:
    """Return who changes something.

    Args:
        request: has passed the guard.
        claimed: the name that the request itself gives, if it gives one. At an open door nothing better is
            known. A token's is kept beside it: somebody else's name proves nothing. Whoever signed in has a
            name, and may give no other.

    Raises:
        ValidationError: the claimed name is not one, or may not be given.
    """
    principal = request[PRINCIPAL]
    if claimed is None:
        return principal.actor
    claimed = check_text("actor", claimed, least=1, most=100)
    if principal.via is Via.OPEN:
        return claimed
    if principal.via is Via.TOKEN:
        return f"{principal.actor} for {claimed}"
    if claimed != principal.actor:
        raise ValidationError(
            errors=[FieldError("actor", f"{principal.actor} is signed in; leave it out", claimed)]
        )
    return claimed
