"""The way from an incident to a new issue in the tracker."""

from aiohttp import web

from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.web.access.declared import AccessRoutes
from faultwire_consumer.web.request import incident_id_of
from faultwire_consumer.web.tracking import new_issue_url

routes = AccessRoutes()


@routes.get("/incidents/{id}/new-issue", access=AccessScope.READ)
async def open_new_issue(request: web.Request) -> web.Response:
    """Lead to the tracker, which shows a new issue, filled in."""
    raise web.HTTPSeeOther(await new_issue_url(request, incident_id_of(request)))
