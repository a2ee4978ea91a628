"""Silences under ``/api/v1``: lists, one with what it hid, create, end and resume."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from aiohttp import web
from msgspec import Struct

from faultwire_consumer.actions.silences import (
    SilenceConflictError,
    SilenceNotFoundError,
    create_silence,
    end_silence,
    load_silence,
    resume_silence,
    try_silence,
)
from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.domain.silence.draft import SilenceDraft
from faultwire_consumer.domain.silence.foresight import Foresight
from faultwire_consumer.domain.silence.matcher import Matchers
from faultwire_consumer.domain.silence.weekly import WeeklyWindow
from faultwire_consumer.store.silences.queries import (
    SilencePhase,
    list_hits,
    list_silence_history,
    list_silences,
)
from faultwire_consumer.store.silences.stored import StoredSilence
from faultwire_consumer.web.access.declared import AccessRoutes
from faultwire_consumer.web.access.told_acts import NOTHING_DONE
from faultwire_consumer.web.acting import silence_actor, silence_id_of
from faultwire_consumer.web.api.silences import shape
from faultwire_consumer.web.openapi.operation import describe
from faultwire_consumer.web.parameter import Paged, Parameters, paged
from faultwire_consumer.web.request import API_PREFIX, cursor_errors, json_answer, page_answer
from faultwire_consumer.web.state import CLOCK, STORE

_PATH: Final = f"{API_PREFIX}/silences"
HIDDEN_SHOWN: Final = 100

routes = AccessRoutes()


class SilenceRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a request for a silence."""

    where: Matchers
    comment: str
    """Why; everybody who looks for what was hidden reads it."""
    starts_at: datetime | None = None
    """Null, or a time that is past: now."""
    ends_at: datetime | None = None
    for_seconds: int | None = None
    """How long, in the place of an end; a year at most."""
    weekly: tuple[WeeklyWindow, ...] = ()
    """When it hides between start and end; none: all the time."""
    also_critical: bool = False
    """Hide critical notifications too, which no silence hides otherwise."""
    actor: str | None = None
    """Who asks, where nobody has to sign in; beside the name of a token."""
    dry_run: bool = False
    """Make nothing; say what it would be, and what it would have hidden of the last day's notifications."""


class SilenceChangeRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a request to end or resume a silence; it may be missing."""

    actor: str | None = None
    note: str = ""
    """Words for the silence's history."""


def silence_phases(parameters: Parameters) -> Sequence[SilencePhase]:
    """The filter of a list of silences."""
    return parameters.choices("phase", SilencePhase, "Begun and not over, coming, or past; any of several.")


@routes.get(_PATH, access=AccessScope.READ)
@describe(reads=paged(silence_phases), answers=shape.SilenceList)
async def list_(request: web.Request, asked: Paged[Sequence[SilencePhase]]) -> web.Response:
    """Silences, the newest first."""
    now = request.app[CLOCK]()
    with cursor_errors():
        page = await list_silences(
            request.app[STORE], asked.wanted, now=now, limit=asked.limit, cursor=asked.cursor
        )
    rows = tuple(shape.silence_shape(row, now) for row in page.rows)
    return page_answer(request, shape.SilenceList(silences=rows, next_cursor=page.next_cursor))


@routes.get(f"{_PATH}/{{id}}", access=AccessScope.READ)
@describe(answers=shape.SilenceDetail, raises=[SilenceNotFoundError])
async def show(request: web.Request) -> web.Response:
    """One silence, what it hid by incident, and what was done to it."""
    store = request.app[STORE]
    silence = await load_silence(store, silence_id_of(request))
    hidden, history = await asyncio.gather(
        list_hits(store, silence.id, limit=HIDDEN_SHOWN), list_silence_history(store, silence.id)
    )
    return json_answer(shape.silence_detail(silence, request.app[CLOCK](), hidden=hidden, history=history))


@routes.post(_PATH, access=AccessScope.ACT)
@describe(takes=SilenceRequest, answers=shape.SilenceAnswer, raises=[SilenceConflictError])
async def create(request: web.Request, asked: SilenceRequest) -> web.Response:
    """Hide notifications for a time, by matchers; critical ones only if it says so."""
    draft = SilenceDraft(**{name: getattr(asked, name) for name in SilenceDraft.__struct_fields__})
    by = silence_actor(request, asked.actor)
    if asked.dry_run:
        silence, foresight = await try_silence(request.app[STORE], draft, by)
        return _answer(request, "would_create", silence, foresight)
    return _answer(request, "created", await create_silence(request.app[STORE], draft, by))


@routes.post(f"{_PATH}/{{id}}/end", access=AccessScope.ACT)
@describe(takes=SilenceChangeRequest, answers=shape.SilenceAnswer, raises=[SilenceNotFoundError])
async def end(request: web.Request, asked: SilenceChangeRequest) -> web.Response:
    """End a silence now; what it holds back is judged again."""
    by = silence_actor(request, asked.actor, note=asked.note)
    silence, changed = await end_silence(request.app[STORE], silence_id_of(request), by)
    return _answer(request, "ended" if changed else "unchanged", silence)


@routes.post(f"{_PATH}/{{id}}/resume", access=AccessScope.ACT)
@describe(
    takes=SilenceChangeRequest,
    answers=shape.SilenceAnswer,
    raises=[SilenceNotFoundError, SilenceConflictError],
)
async def resume(request: web.Request, asked: SilenceChangeRequest) -> web.Response:
    """Take the end of a silence back, until its own end."""
    by = silence_actor(request, asked.actor, note=asked.note)
    silence, changed = await resume_silence(request.app[STORE], silence_id_of(request), by)
    return _answer(request, "resumed" if changed else "unchanged", silence)


def _answer(
    request: web.Request, outcome: str, silence: StoredSilence, foresight: Foresight | None = None
) -> web.Response:
    request[NOTHING_DONE] = True  # told to the audit already, in the transaction of the change
    shown = shape.silence_shape(silence, request.app[CLOCK]())
    return json_answer(shape.SilenceAnswer(outcome=outcome, silence=shown, foreseen=foresight))
