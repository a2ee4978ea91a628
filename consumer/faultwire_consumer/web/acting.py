"""Acts as the API and the page ask for them: arguments checked, and what is meant found."""

from collections.abc import Sequence
from datetime import datetime

from aiohttp import web

from faultwire_consumer.actions.silences import NOTE_CHARACTERS, SilenceActor, unknown_silence
from faultwire_consumer.actions.verbs import MANY_MAX, Acted, ActOutcome
from faultwire_consumer.domain.incident import Verb
from faultwire_consumer.domain.incident_name import parse_incident_id
from faultwire_consumer.domain.lifecycle.arguments import Arguments, LinkArguments, check_arguments
from faultwire_consumer.domain.lifecycle.decision import Act
from faultwire_consumer.domain.links.tracker import link_fault
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.events import incidents
from faultwire_consumer.web.access.actor import actor_of
from faultwire_consumer.web.access.told_acts import NOTHING_DONE, TOLD_AS, told_of_many
from faultwire_consumer.web.access.visitor import source_of
from faultwire_consumer.web.parameter import Parameters, incident_query
from faultwire_consumer.web.request import check_text
from faultwire_consumer.web.state import CLOCK, TRACKER
from faultwire_shared.taxonomy import FieldError, ValidationError


def act_of(request: web.Request, arguments: Arguments, *, actor: str | None = None, note: str = "") -> Act:
    """Return an act as it is asked for, by whom and now.

    Raises:
        ValidationError: an argument cannot be.
    """
    now = request.app[CLOCK]()
    faults = check_arguments(arguments, note=note, now=now)
    if faults:
        raise ValidationError(errors=[FieldError(one.field, one.message) for one in faults])
    _check_tracker(request, arguments)
    return Act(arguments=arguments, actor=actor_of(request, actor), at=now, note=note.strip())


def _check_tracker(request: web.Request, arguments: Arguments) -> None:
    """Check that a link leads to the tracker, where one is set."""
    tracker = request.app[TRACKER]
    if isinstance(arguments, LinkArguments) and tracker is not None:
        fault = link_fault(arguments.url, host=tracker.host)
        if fault is not None:
            raise ValidationError(errors=[FieldError("url", fault)])


def silence_actor(request: web.Request, actor: str | None = None, *, note: str = "") -> SilenceActor:
    """Return who does something to a silence, and now.

    Raises:
        ValidationError: the name or the note cannot be.
    """
    return SilenceActor(
        name=actor_of(request, actor),
        source=source_of(request),
        at=request.app[CLOCK](),
        note=check_text("note", note, least=0, most=NOTE_CHARACTERS),
    )


def silence_id_of(request: web.Request) -> int:
    """Return the number of the silence that the path names.

    Raises:
        SilenceNotFoundError: the text there is not a number.
    """
    text = request.match_info["id"]
    number = parse_incident_id(text) if text.isdigit() else None
    if number is None:
        raise unknown_silence(text[:100])
    return number


def tell_of_many(request: web.Request, verb: Verb, acted: Sequence[Acted], *, dry_run: bool) -> None:
    """Let the audit tell which incidents a verb changed, or nothing where it changed none."""
    changed = [one.id for one in acted if one.outcome is ActOutcome.CHANGED]
    if dry_run or not changed:
        request[NOTHING_DONE] = True
    else:
        request[TOLD_AS] = told_of_many(changed, verb.value)


async def chosen_incidents(
    store: Store, *, ids: Sequence[str] | None, query: str | None, now: datetime
) -> list[int]:
    """Return the incidents that are meant, each once.

    Raises:
        ValidationError: neither ids nor a query, both, a name that is none, or too many.
    """
    if (ids is None) == (query is None):
        raise ValidationError(errors=[FieldError("ids", "ids or query, one of the two")])
    if ids is None:
        return await _found(store, query or "", now)
    named = [parse_incident_id(one) for one in ids]
    if len(named) > MANY_MAX or not named or None in named:
        what = f"1 to {MANY_MAX} incidents, as in INC-12"
        raise ValidationError(errors=[FieldError("ids", what)])
    return [one for one in dict.fromkeys(named) if one is not None]


async def _found(store: Store, query: str, now: datetime) -> list[int]:
    parameters = Parameters({"query": [query]}, now=now)
    wanted = incident_query(parameters)
    parameters.finish()
    if not wanted.terms:
        raise ValidationError(errors=[FieldError("query", "a query without terms would mean every incident")])
    page = await incidents.list_incidents(store, wanted, limit=MANY_MAX, now=now)
    if page.next_cursor is not None:
        raise ValidationError(errors=[FieldError("query", f"it finds more than {MANY_MAX}; narrow it down")])
    return [one.id for one in page.rows]
