"""Dead letters under ``/api/v1``: lists, one with its body, edit, replay and discard."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from faultwire_consumer.actions.dead_letters import DeadLetterConflictError, DeadLetterNotFoundError
from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.domain.dead_letter_cure import cure_of
from faultwire_consumer.store.dead_letters.queries import (
    DeadLetterFilter,
    count_dead_letters,
    list_dead_letter_history,
    list_dead_letters,
)
from faultwire_consumer.web.access.declared import AccessRoutes
from faultwire_consumer.web.api import shape
from faultwire_consumer.web.letter_desk import (
    AskedChange,
    ChangeResult,
    asked_change,
    discard_letter,
    edit_letter,
    numbers_by_reason,
    replay_letter,
)
from faultwire_consumer.web.openapi.operation import describe
from faultwire_consumer.web.parameter import Paged, paged
from faultwire_consumer.web.request import (
    API_PREFIX,
    cursor_errors,
    dead_letter_filter,
    dead_letter_of,
    json_answer,
    page_answer,
)
from faultwire_consumer.web.state import STORE

_PATH: Final = f"{API_PREFIX}/dead-letters"

B = TypeVar("B", bound=msgspec.Struct)

routes = AccessRoutes()


class DiscardRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a discard; it may be missing."""

    actor: str | None = None
    """Who asks, where nobody has to sign in; beside the name of a token."""
    why: str = ""
    """The operator's reason, for the history."""
    dry_run: bool = False


class ReplayRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a replay; it may be missing."""

    actor: str | None = None
    why: str = ""
    dry_run: bool = False
    accept_old: bool = False
    """Take an event that retention refused under an id of today; its own stays as the tag original_id."""


class EditRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The body of an edit."""

    body: str
    """The corrected one, as text; what arrived is kept beside it."""
    actor: str | None = None
    why: str = ""
    dry_run: bool = False


def _change(takes: type[B]) -> Callable[[Callable[[web.Request, B], Awaitable[web.StreamResponse]]], Handler]:
    raises = [DeadLetterNotFoundError, DeadLetterConflictError]
    return describe(takes=takes, answers=shape.LetterAnswer, raises=raises)


@routes.get(_PATH, access=AccessScope.READ)
@describe(reads=paged(dead_letter_filter), answers=shape.DeadLetterList)
async def list_letters(request: web.Request, asked: Paged[DeadLetterFilter]) -> web.Response:
    """Dead letters by filter, the newest first; without one those that wait."""
    with cursor_errors():
        page = await list_dead_letters(
            request.app[STORE], asked.wanted, limit=asked.limit, cursor=asked.cursor
        )
    rows = tuple(shape.dead_letter_shape(row) for row in page.rows)
    return page_answer(request, shape.DeadLetterList(dead_letters=rows, next_cursor=page.next_cursor))


@routes.get(f"{_PATH}/reasons", access=AccessScope.READ)
@describe(reads=dead_letter_filter, answers=shape.ReasonList)
async def list_reasons(request: web.Request, wanted: DeadLetterFilter) -> web.Response:
    """Dead letters by filter, counted by reason, with what mends them."""
    counts = await count_dead_letters(request.app[STORE], service=wanted.service)
    numbers = numbers_by_reason(counts, wanted)
    rows = tuple(
        shape.ReasonShape(reason=reason, count=count, cure=cure_of(reason))
        for reason, count in numbers.items()
    )
    return json_answer(shape.ReasonList(reasons=rows))


@routes.get(f"{_PATH}/{{id}}", access=AccessScope.READ)
@describe(answers=shape.DeadLetterDetail, raises=[DeadLetterNotFoundError])
async def show_letter(request: web.Request) -> web.Response:
    """One dead letter with its body and what was done to it."""
    letter = await dead_letter_of(request)
    history = await list_dead_letter_history(request.app[STORE], letter.id)
    return json_answer(shape.dead_letter_detail(letter, history=history))


@routes.post(f"{_PATH}/{{id}}/replay", access=AccessScope.ACT)
@_change(ReplayRequest)
async def replay(request: web.Request, body: ReplayRequest) -> web.Response:
    """Put the body, or the corrected one, through ingest again."""
    asked, letter = _asked(request, body, accept_old=body.accept_old), await dead_letter_of(request)
    return _answer(await replay_letter(request, letter, asked))


@routes.post(f"{_PATH}/{{id}}/edit", access=AccessScope.ACT)
@_change(EditRequest)
async def edit(request: web.Request, body: EditRequest) -> web.Response:
    """Correct the body that a replay takes; the answer says what that replay would do."""
    asked, letter = _asked(request, body), await dead_letter_of(request)
    result, _ = await edit_letter(request, letter, body.body, asked)
    return _answer(result)


@routes.post(f"{_PATH}/{{id}}/discard", access=AccessScope.ACT)
@_change(DiscardRequest)
async def discard(request: web.Request, body: DiscardRequest) -> web.Response:
    """Say that nobody wants it; the body stays."""
    asked, letter = _asked(request, body), await dead_letter_of(request)
    return _answer(await discard_letter(request, letter, asked))


def _asked(
    request: web.Request, body: ReplayRequest | EditRequest | DiscardRequest, *, accept_old: bool = False
) -> AskedChange:
    return asked_change(request, actor=body.actor, why=body.why, dry_run=body.dry_run, accept_old=accept_old)


def _answer(result: ChangeResult) -> web.Response:
    return json_answer(
        shape.LetterAnswer(
            id=result.id,
            status=result.status.value if result.status is not None else "",
            outcome=result.outcome,
            detail=result.detail,
            attempts=result.attempts,
            events=result.events,
            dry_run=bool(result.examined),
            examined=result.examined,
        )
    )
