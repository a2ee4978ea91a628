"""The page of a digest to come: all that it would say if it were due at once."""

from typing import Final

from aiohttp import web

from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.notify.digest.text import chart_text
from faultwire_consumer.notify.digest.view import digest_view, facts_in
from faultwire_consumer.notify.digest_maker import schedule_of
from faultwire_consumer.notify.digest_preview import find_digest_rule, preview
from faultwire_consumer.web.access.declared import AccessRoutes
from faultwire_consumer.web.page.shell import show
from faultwire_consumer.web.request import read_parameters
from faultwire_consumer.web.state import CLOCK, POLICY, STORE

_ROOT: Final = ""
"""Links of the page are paths of it, wherever it is served."""

routes = AccessRoutes()


@routes.get("/rules/digest", access=AccessScope.READ)
async def show_digest(request: web.Request) -> web.Response:
    """The digest that a rule would send to one receiver; looking at it makes, sends and changes nothing."""
    parameters = read_parameters(request)
    name, receiver = parameters.text("rule"), parameters.text("receiver")
    parameters.finish()
    rule, receiver = find_digest_rule(request.app[POLICY](), name, receiver)
    now = request.app[CLOCK]()
    told = await preview(request.app[STORE], rule, receiver, now=now, public_url=_ROOT)
    view = digest_view(told)
    return await show(
        request,
        "rules/digest.html",
        rule=rule.name,
        receiver=receiver,
        receivers=rule.receivers,
        due_at=schedule_of(rule, receiver).next_after(now),
        is_empty=facts_in(told).is_empty,
        view=view,
        chart=chart_text(view.chart) if view.chart is not None else "",
    )
