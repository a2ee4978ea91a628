"""The audit, for admins: who did what to what, from where, the newest first."""

from typing import Any, Final

from aiohttp import web

from faultwire_consumer.domain.access.audit import AUDIT_DAYS, AuditAction
from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.store.access.audit import AuditFilter, list_audit
from faultwire_consumer.store.contract.paging import Page
from faultwire_consumer.web.access.declared import AccessRoutes
from faultwire_consumer.web.page.shell import show
from faultwire_consumer.web.parameter import Parameters
from faultwire_consumer.web.request import cursor_errors, read_parameters
from faultwire_consumer.web.state import STORE
from faultwire_shared.taxonomy import ValidationError

PATH: Final = "/access/audit"
_ROWS: Final = 100
_FILTERS: Final = ("actor", "action", "object", "since")

routes = AccessRoutes()


@routes.get(PATH, access=AccessScope.ADMIN)
async def show_audit(request: web.Request) -> web.Response:
    """The audit by filter; a filter that cannot be is told at its field, and nothing is listed."""
    parameters = read_parameters(request)
    wanted, cursor = _read_filter(parameters), parameters.cursor()
    page: Page[Any] = Page((), None)
    wrong: dict[str, str] = {}
    try:
        parameters.finish()
        with cursor_errors():
            page = await list_audit(request.app[STORE], wanted, limit=_ROWS, cursor=cursor)
    except ValidationError as error:
        wrong = {one.field: one.message for one in error.errors}
    return await show(
        request,
        "accounts/audit.html",
        status=400 if wrong else 200,
        entries=page.rows,
        following=request.rel_url.update_query(cursor=page.next_cursor) if page.next_cursor else None,
        is_later=cursor is not None,
        actions=list(AuditAction),
        typed={name: request.query.get(name, "")[:200] for name in _FILTERS},
        wrong=wrong,
        days=AUDIT_DAYS,
    )


def _read_filter(parameters: Parameters) -> AuditFilter:
    return AuditFilter(
        actor=parameters.texts("actor"),
        action=parameters.texts("action"),
        object=parameters.texts("object"),
        since=parameters.moment("since"),
    )
