"""New issues in a tracker, as the API and the page open them."""

import msgspec
from aiohttp import web

from faultwire_consumer.actions.incident import load_incident
from faultwire_consumer.domain.incident_name import incident_name
from faultwire_consumer.domain.links.tracker import issue_url
from faultwire_consumer.domain.report.issue import issue_body, issue_values
from faultwire_consumer.web.kept import decoded, newest_event
from faultwire_consumer.web.state import CLOCK, PUBLIC_URL, STORE, TRACKER
from faultwire_shared.taxonomy import NotFoundError


class TrackerUnsetError(NotFoundError):
    """The worker was not told of a tracker."""

    code = "TRACKER_UNSET"


async def new_issue_url(request: web.Request, incident_id: int) -> str:
    """Return the address that opens a new issue about an incident, filled in.

    Raises:
        TrackerUnsetError: there is no tracker.
        IncidentNotFoundError: there is no such incident.
    """
    template, store = request.app[TRACKER], request.app[STORE]
    if template is None:
        raise TrackerUnsetError("tracker_link is not set, so no tracker is known")
    incident = await load_incident(store, incident_id)
    stored = await newest_event(store, incident.id, now=request.app[CLOCK]())
    event = decoded(stored) if stored is not None else None
    document = msgspec.to_builtins(incident) | {"id": incident_name(incident.id)}
    link = f"{_root(request)}/incidents/{incident_name(incident.id)}"
    return issue_url(
        template,
        issue_values(document, link=link),
        lambda most: issue_body(document, event, link=link, most=most),
    )


def _root(request: web.Request) -> str:
    """Return where people reach the page; the address that was asked is one that is answered to."""
    return (request.app[PUBLIC_URL] or f"{request.scheme}://{request.host}").rstrip("/")
