"""Changes that somebody made, told to the audit: by whom, from where, and of what."""

from collections.abc import Sequence
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from faultwire_consumer.domain.access.audit import AuditAction
from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.serving.principal import PRINCIPAL
from faultwire_consumer.store.access.audit import record_audit
from faultwire_consumer.store.contract.store import StoreUnavailableError
from faultwire_consumer.web.access.declared import access_of
from faultwire_consumer.web.access.own_page import SAFE_METHODS
from faultwire_consumer.web.access.visitor import source_of
from faultwire_consumer.web.state import CLOCK, STORE
from faultwire_shared.logging.logs import get_logger

_REFUSED: Final = 400
_log = get_logger("faultwire.web")

NOTHING_DONE: Final[web.RequestKey[bool]] = web.RequestKey("nothing_done")
"""Set by a handler that leads on without having changed anything: there is nothing to tell."""

TOLD_AS: Final[web.RequestKey[tuple[str, str]]] = web.RequestKey("told_as")
"""Set by a handler whose path does not say what it acted on and how: the entry's object and detail."""
_NAMES_TOLD: Final = 20


def told_of_many(ids: Sequence[str], verb: str) -> tuple[str, str]:
    """Return how the audit tells of a verb that changed many incidents; beyond some, their number."""
    more = f" and {len(ids) - _NAMES_TOLD} more" if len(ids) > _NAMES_TOLD else ""
    return f"incidents/{','.join(ids[:_NAMES_TOLD])}{more}", verb


@web.middleware
async def told_acts(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Tell the audit of each change on a route that takes the scope to act, once it is made.

    The history of what was changed has it in the change's own transaction; here stands from where it came.
    """
    if access_of(request) is not AccessScope.ACT or request.method in SAFE_METHODS:
        return await handler(request)
    try:
        response = await handler(request)
    except web.HTTPRedirection:  # by which a page's button ends
        await _tell(request)
        raise
    if response.status < _REFUSED and NOTHING_DONE not in request:
        await _tell(request)
    return response


async def _tell(request: web.Request) -> None:
    now, source = request.app[CLOCK](), source_of(request)
    *_, kind, named, verb = ("", "", *request.path.rstrip("/").split("/"))
    object_, detail = request.get(TOLD_AS, (f"{kind}/{named}", verb))
    try:
        async with request.app[STORE].write() as tx:
            entry = source.entry(AuditAction.ACTED, object_, at=now, detail=detail)
            await record_audit(tx, entry)
    except StoreUnavailableError:
        _log.warning("act.not_told", actor=request[PRINCIPAL].actor, path=request.path)
