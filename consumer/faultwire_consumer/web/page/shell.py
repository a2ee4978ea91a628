"""The frame of every page: sections with what waits in them, health in words, and who reads."""

import asyncio
from datetime import datetime
from typing import Any, Final

from aiohttp import hdrs, web

from faultwire_consumer.domain.access.principal import Via
from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.serving.principal import PRINCIPAL
from faultwire_consumer.store.events.changes import read_last_change_id
from faultwire_consumer.store.events.incidents import Totals
from faultwire_consumer.web.access.sign_in import SIGN_IN
from faultwire_consumer.web.page.check_words import health_words
from faultwire_consumer.web.page.notice import Notice, forget_notice, leave_notice, take_notice
from faultwire_consumer.web.page.reader import ANYBODY, Reader, reader_of
from faultwire_consumer.web.page.template import load_template, render
from faultwire_consumer.web.page.totals import read_totals
from faultwire_consumer.web.state import CLOCK, HEALTH, STORE
from faultwire_shared.health import Report

_NOTHING: Final[dict[str, Any]] = {
    "reader": ANYBODY,
    "path": "/",
    "totals": None,
    "last_change": None,
    "health": None,
    "notice": None,
    "account": None,
    "may_act": False,
    "may_admin": False,
    "signs_out": False,
}


async def show(request: web.Request, template: str, *, status: int = 200, **values: Any) -> web.Response:
    """Make a page with everything that stands around it; a notice is shown once.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    totals, last_change, report, _ = await asyncio.gather(
        read_totals(request),
        read_last_change_id(request.app[STORE]),
        request.app[HEALTH].ready.run_checks(),
        load_template(template),
    )
    notice = take_notice(request)
    frame = frame_of(request, totals, report, notice) | {"last_change": last_change}
    response = render(template, status=status, **frame, **values)
    if notice is not None:
        forget_notice(response)
    return response


def show_bare(
    template: str, *, now: datetime, reader: Reader = ANYBODY, status: int = 200, **values: Any
) -> web.Response:
    """Make a page for nobody in particular, which asks nothing of the store: signing in, and failures."""
    return render(template, status=status, **{**_NOTHING, "reader": reader, "now": now, **values})


def frame_of(request: web.Request, totals: Totals, report: Report, notice: Notice | None) -> dict[str, Any]:
    """Return the values that the frame shows."""
    principal = request[PRINCIPAL]
    return {
        "reader": reader_of(request),
        "now": request.app[CLOCK](),
        "path": request.rel_url.raw_path_qs if request.method == "GET" else "/",
        "totals": totals,
        "health": health_words(report),
        "notice": notice,
        "account": None if principal.via is Via.OPEN else principal.actor,
        "may_act": principal.may(AccessScope.ACT),
        "may_admin": principal.may(AccessScope.ADMIN),
        "signs_out": SIGN_IN in request.app and principal.via is Via.SESSION,
    }


def go_to(path: str, notice: Notice | None = None) -> web.Response:
    """Lead on to another page, and have that show a notice."""
    response = web.Response(status=303, headers={hdrs.LOCATION: path})
    if notice is not None:
        leave_notice(response, notice)
    return response
