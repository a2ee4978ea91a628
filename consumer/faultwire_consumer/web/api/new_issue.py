"""``GET /api/v1/incidents/{id}/new-issue``: the address that opens an issue about an incident."""

from aiohttp import web
from msgspec import Struct

from faultwire_consumer.actions.incident import IncidentNotFoundError
from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.domain.incident_name import incident_name
from faultwire_consumer.web.access.declared import AccessRoutes
from faultwire_consumer.web.openapi.operation import describe
from faultwire_consumer.web.request import API_PREFIX, incident_id_of, json_answer
from faultwire_consumer.web.tracking import TrackerUnsetError, new_issue_url

routes = AccessRoutes()


class NewIssueShape(Struct, frozen=True, kw_only=True):
    """The address at which a tracker shows a new issue, filled in, for a person to look at and save."""

    id: str
    """The incident."""
    url: str
    """At most 6,000 characters; the trace is cut for that, its crash stays."""


@routes.get(f"{API_PREFIX}/incidents/{{id}}/new-issue", access=AccessScope.READ)
@describe(answers=NewIssueShape, raises=[IncidentNotFoundError, TrackerUnsetError])
async def show_new_issue(request: web.Request) -> web.Response:
    """The address that opens a new issue about an incident in the tracker, filled in."""
    incident_id = incident_id_of(request)
    url = await new_issue_url(request, incident_id)
    return json_answer(NewIssueShape(id=incident_name(incident_id), url=url))
