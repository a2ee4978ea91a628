"""The verbs of operators under ``/api/v1/incidents``: one route each, and one for many incidents."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler
from msgspec import Struct

from faultwire_consumer.actions.incident import IncidentConflictError, IncidentNotFoundError
from faultwire_consumer.actions.verbs import Acted, Expected, act_on, act_on_many
from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.domain.incident import Status, Verb
from faultwire_consumer.domain.lifecycle.arguments import ARGUMENTS, SENTENCES, Arguments
from faultwire_consumer.web.access.declared import AccessRoutes
from faultwire_consumer.web.acting import act_of, chosen_incidents, tell_of_many
from faultwire_consumer.web.api import incident_shape
from faultwire_consumer.web.api.whole_incident import incident_response
from faultwire_consumer.web.openapi.operation import describe
from faultwire_consumer.web.request import API_PREFIX, incident_id_of, json_answer
from faultwire_consumer.web.state import CLOCK, STORE
from faultwire_shared.taxonomy import FieldError, ValidationError

_PATH: Final = f"{API_PREFIX}/incidents"

routes = AccessRoutes()


class ActRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The part of a body that every verb may be told; the body may be missing."""

    actor: str | None = None
    """Who asks, as the history keeps it, where nobody has to sign in; beside the name of a token."""
    note: str = ""
    """Words for the history."""
    if_status: Status | None = None
    """Refuse if the incident has another status by now."""
    version: int | None = None
    """Refuse if the incident has another version by now."""


class ManyRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A verb for many incidents: those that are named, or those that a query finds."""

    verb: Verb
    ids: list[str] | None = None
    query: str | None = None
    arguments: dict[str, Any] = {}
    actor: str | None = None
    note: str = ""
    dry_run: bool = False


class ManyAnswer(Struct, frozen=True, kw_only=True):
    """The effect on each incident, or with ``dry_run`` the one that it would have."""

    verb: str
    dry_run: bool
    incidents: list[Acted]


def request_of(verb: Verb) -> type[ActRequest]:
    """Build the type of a verb's body: what every verb may be told, and the verb's own arguments."""
    own = [
        (field.name, field.type) if field.required else (field.name, field.type, field.default)
        for field in msgspec.structs.fields(ARGUMENTS[verb])
    ]
    kind: type[Any] = msgspec.defstruct(
        f"{verb.title()}Request",
        own,
        bases=(ActRequest,),
        namespace={"__doc__": f"The body of a request to {verb} an incident."},
        frozen=True,
        kw_only=True,
        forbid_unknown_fields=True,
    )
    return kind


REQUESTS: Final[Mapping[Verb, type[ActRequest]]] = {verb: request_of(verb) for verb in Verb}


def _handler(verb: Verb) -> Handler:
    async def handle(request: web.Request, asked: ActRequest) -> web.Response:
        incident_id = incident_id_of(request)
        own = {name: getattr(asked, name) for name in ARGUMENTS[verb].__struct_fields__}
        act = act_of(request, ARGUMENTS[verb](**own), actor=asked.actor, note=asked.note)
        expected = Expected(asked.if_status, asked.version)
        await act_on(request.app[STORE], incident_id, act, expected=expected)
        return await incident_response(request.app[STORE], incident_id, now=request.app[CLOCK]())

    handle.__doc__ = SENTENCES[verb]
    handle.__name__ = verb.value
    return describe(
        takes=REQUESTS[verb],
        answers=incident_shape.IncidentDetail,
        raises=[IncidentNotFoundError, IncidentConflictError],
    )(handle)


for _verb in Verb:
    routes.add("POST", f"{_PATH}/{{id}}/{_verb}", _handler(_verb), access=AccessScope.ACT)


@routes.post(f"{_PATH}/bulk", access=AccessScope.ACT)
@describe(takes=ManyRequest, answers=ManyAnswer)
async def act_on_all(request: web.Request, asked: ManyRequest) -> web.Response:
    """Do one thing to many incidents, or say what it would do to each."""
    now = request.app[CLOCK]()
    act = act_of(request, _arguments(asked), actor=asked.actor, note=asked.note)
    ids = await chosen_incidents(request.app[STORE], ids=asked.ids, query=asked.query, now=now)
    acted = await act_on_many(request.app[STORE], ids, act, dry_run=asked.dry_run)
    tell_of_many(request, asked.verb, acted, dry_run=asked.dry_run)
    return json_answer(ManyAnswer(verb=asked.verb.value, dry_run=asked.dry_run, incidents=acted))


def _arguments(asked: ManyRequest) -> Arguments:
    try:
        return msgspec.convert(asked.arguments, type=ARGUMENTS[asked.verb])
    except msgspec.ValidationError as error:
        raise ValidationError(errors=[FieldError("arguments", str(error))]) from None
