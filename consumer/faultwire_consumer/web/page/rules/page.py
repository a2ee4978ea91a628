"""Rules in use, and silences: those that stand, new ones, their ends, and what each hid."""

import asyncio
from typing import Final

from aiohttp import web

from faultwire_consumer.actions.silences import (
    SilenceConflictError,
    create_silence,
    end_silence,
    load_silence,
    resume_silence,
    try_silence,
)
from faultwire_consumer.domain.access.next_path import HOME, next_path
from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.domain.silence.foresight import describe_foresight
from faultwire_consumer.store.silences.queries import (
    SilencePhase,
    count_hit_incidents,
    list_hits,
    list_silence_history,
    list_silences,
)
from faultwire_consumer.web.access.declared import AccessRoutes
from faultwire_consumer.web.access.told_acts import NOTHING_DONE
from faultwire_consumer.web.acting import silence_actor, silence_id_of
from faultwire_consumer.web.page.form import read_fields, read_form
from faultwire_consumer.web.page.notice import Notice, Undo
from faultwire_consumer.web.page.reader import reader_of
from faultwire_consumer.web.page.rules import asked as asking
from faultwire_consumer.web.page.rules import view
from faultwire_consumer.web.page.shell import go_to, show
from faultwire_consumer.web.request import cursor_errors, read_parameters
from faultwire_consumer.web.state import CLOCK, POLICY, POLICY_STATUS, STORE, TEMPLATE_FAULTS
from faultwire_shared.taxonomy import ValidationError

STANDING_SHOWN: Final = 100
PAST_SHOWN: Final = 20
HIDDEN_SHOWN: Final = 100
_PATH: Final = "/rules"
_CHANGE: Final = ("note", "next")

routes = AccessRoutes()


@routes.get(_PATH, access=AccessScope.READ)
async def show_rules(request: web.Request) -> web.Response:
    """The policy in use in words, the silences that stand or are past, and the form for a new one."""
    parameters = read_parameters(request)
    asked = asking.silence_from_link(parameters, reader_of(request).zone_name)
    cursor = parameters.cursor()
    parameters.finish()
    return await _show(request, asked, cursor=cursor)


@routes.post("/silences", access=AccessScope.ACT)
async def create(request: web.Request) -> web.Response:
    """Make a silence, or say first what it would have hidden; what cannot be is shown at its field."""
    asked = asking.asked_silence(await read_form(request, fields_max=60))
    request[NOTHING_DONE] = True  # told to the audit in the transaction of the change
    try:
        draft, by = asking.draft_of(asked, reader_of(request).zone), silence_actor(request)
        if asked.is_tried:
            _, foresight = await try_silence(request.app[STORE], draft, by)
            return await _show(request, asked, foreseen=describe_foresight(foresight))
        made = await create_silence(request.app[STORE], draft, by)
    except ValidationError as error:
        return await _show(request, asking.with_faults(asked, error), status=400)
    except SilenceConflictError as error:
        return go_to(_PATH, Notice(f"Nothing was changed. {error}", refused=True))
    hides = "hides notifications" if made.starts_at <= request.app[CLOCK]() else "is to come"
    return go_to(_PATH, Notice(f"Silence {made.id} {hides}.", undo=_undo("end", made.id)))


@routes.get("/silences/{id}", access=AccessScope.READ)
async def show_silence(request: web.Request) -> web.Response:
    """One silence: when it hides, what it hid by incident, and what was done to it."""
    store, now = request.app[STORE], request.app[CLOCK]()
    silence = await load_silence(store, silence_id_of(request))
    hidden, history, incidents = await asyncio.gather(
        list_hits(store, silence.id, limit=HIDDEN_SHOWN + 1),
        list_silence_history(store, silence.id),
        count_hit_incidents(store, [silence.id]),
    )
    total = incidents.get(silence.id, 0)
    return await show(
        request,
        "rules/silence.html",
        silence=view.silence_view(silence, now, incidents=total),
        hidden=hidden[:HIDDEN_SHOWN],
        more=max(0, total - HIDDEN_SHOWN),
        history=history,
    )


@routes.post("/silences/{id}/end", access=AccessScope.ACT)
async def end(request: web.Request) -> web.Response:
    """End a silence, and go back to where the button was."""
    silence_id, fields = silence_id_of(request), await read_fields(request, _CHANGE)
    request[NOTHING_DONE] = True  # as above
    by = silence_actor(request, note=fields["note"])
    silence, changed = await end_silence(request.app[STORE], silence_id, by)
    told = f"It held back {silence.hits:,} notifications" if silence.hits else "It held nothing back"
    notice = Notice(f"Silence {silence_id} is ended. {told}.", undo=_undo("resume", silence_id))
    if not changed:
        notice = Notice(f"Silence {silence_id} is over already.")
    return go_to(_back(fields["next"]), notice)


@routes.post("/silences/{id}/resume", access=AccessScope.ACT)
async def resume(request: web.Request) -> web.Response:
    """Take the end of a silence back, and go back to where the button was."""
    silence_id, fields = silence_id_of(request), await read_fields(request, _CHANGE)
    request[NOTHING_DONE] = True  # as above
    path = _back(fields["next"])
    try:
        by = silence_actor(request, note=fields["note"])
        _, changed = await resume_silence(request.app[STORE], silence_id, by)
    except SilenceConflictError as error:
        return go_to(path, Notice(f"Nothing was changed. {error}", refused=True))
    if not changed:
        return go_to(path, Notice(f"Silence {silence_id} was not ended."))
    return go_to(path, Notice(f"Silence {silence_id} holds again.", undo=_undo("end", silence_id)))


async def _show(
    request: web.Request,
    asked: asking.AskedSilence,
    *,
    cursor: str | None = None,
    status: int = 200,
    foreseen: str = "",
) -> web.Response:
    store, now, policy = request.app[STORE], request.app[CLOCK](), request.app[POLICY]()
    standing = (SilencePhase.CURRENT, SilencePhase.COMING)
    with cursor_errors():
        stand, past = await asyncio.gather(
            list_silences(store, standing, now=now, limit=STANDING_SHOWN),
            list_silences(store, (SilencePhase.PAST,), now=now, limit=PAST_SHOWN, cursor=cursor),
        )
    ids = [one.id for one in (*stand.rows, *past.rows)]
    incidents = await count_hit_incidents(store, ids)
    return await show(
        request,
        "rules/page.html",
        status=status,
        rules=view.rule_views(policy),
        origin=request.app[POLICY_STATUS](),
        receivers=view.receiver_views(policy, request.app[TEMPLATE_FAULTS]()),
        inhibitions=view.inhibition_views(policy),
        groups=view.silence_groups(stand.rows, now, incidents),
        has_more=stand.next_cursor is not None,
        past=[view.silence_view(one, now, incidents=incidents.get(one.id, 0)) for one in past.rows],
        following=past.next_cursor,
        is_later=cursor is not None,
        asked=asked,
        foreseen=foreseen,
        lengths=asking.LENGTHS,
        choices=asking.CHOICES,
    )


def _undo(verb: str, silence_id: int) -> Undo:
    return Undo(verb, (str(silence_id),), of="silences")


def _back(given: str) -> str:
    path = next_path(given)
    return _PATH if path == HOME else path
