"""``GET /api/v1/find``: where an id of any kind leads."""

from typing import Final
from urllib.parse import urlencode

from aiohttp import web
from msgspec import Struct

from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.store.events.find import FoundId, FoundKind, find_id
from faultwire_consumer.store.events.search_index import is_search_complete
from faultwire_consumer.web.access.declared import AccessRoutes
from faultwire_consumer.web.openapi.operation import describe
from faultwire_consumer.web.parameter import Parameters
from faultwire_consumer.web.request import API_PREFIX, json_answer
from faultwire_consumer.web.searched import SearchBounds, bounds_of_search
from faultwire_consumer.web.state import CLOCK, STORE
from faultwire_shared.taxonomy import FieldError, NotFoundError, ValidationError

_ID: Final = "id"

routes = AccessRoutes()


class IdNotFoundError(NotFoundError):
    """Nothing that is kept has that id."""

    code = "ID_NOT_FOUND"


class FoundShape(Struct, frozen=True, kw_only=True):
    """The thing that an id names, and where it is."""

    kind: FoundKind
    id: str
    incidents: tuple[str, ...]
    """The incident, or those of the events."""
    events: tuple[str, ...]
    """The event, or the newest ten of a trace or user."""
    query: str | None
    """All events of a trace or user, by this query."""
    page: str
    """The path of its page."""
    api: str
    """The path of it in the API."""
    searched: SearchBounds | None
    """What was looked through, where its events were looked for by what they say."""


def id_wanted(parameters: Parameters) -> str | None:
    """The id that is looked for: an event's, an incident's, a trace's or a user's."""
    return parameters.text(_ID)


@routes.get(f"{API_PREFIX}/find", access=AccessScope.READ)
@describe(reads=id_wanted, answers=FoundShape, raises=[IdNotFoundError])
async def show_found(request: web.Request, wanted: str | None) -> web.Response:
    """The event, incident, trace or user that has an id."""
    if wanted is None:
        message = "the id of an event, an incident, a trace or a user has to be given"
        raise ValidationError(errors=[FieldError(_ID, message)])
    store = request.app[STORE]
    found = await find_id(store, wanted, now=request.app[CLOCK]())
    if found is None:
        complete = await is_search_complete(store)
        raise IdNotFoundError(
            f"nothing has the id {wanted[:100]}: no event, no incident, and no trace or user of the events "
            f"whose bodies are kept{'' if complete else ', of which older ones are still being added'}"
        )
    searched = await bounds_of_search(store) if found.query is not None else None
    page, api = _places_of(found)
    return json_answer(
        FoundShape(
            kind=found.kind,
            id=found.id,
            incidents=found.incidents,
            events=found.events,
            query=found.query,
            page=page,
            api=api,
            searched=searched,
        )
    )


def _places_of(found: FoundId) -> tuple[str, str]:
    if found.kind is FoundKind.EVENT:
        return f"/e/{found.id}", f"{API_PREFIX}/events/{found.id}"
    if found.kind is FoundKind.INCIDENT:
        return f"/incidents/{found.id}", f"{API_PREFIX}/incidents/{found.id}"
    asked = {"query": found.query or ""}
    return f"/?{urlencode(asked | {'view': 'all'})}", f"{API_PREFIX}/events?{urlencode(asked)}"
