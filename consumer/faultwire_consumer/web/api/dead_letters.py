"""Dead letters under ``/api/v1``: lists, one with its body, edit, replay and discard."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler
from msgspec.structs import replace

from faultwire_consumer.actions import dead_letters as actions
from faultwire_consumer.actions.dead_letters import DeadLetterConflictError, DeadLetterNotFoundError
from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.ingest.replay import REHEARSED
from faultwire_consumer.store.dead_letters.queries import (
    DeadLetterBody,
    DeadLetterFilter,
    list_dead_letter_history,
    list_dead_letters,
)
from faultwire_consumer.web.access.actor import actor_of
from faultwire_consumer.web.access.declared import AccessRoutes
from faultwire_consumer.web.api import shape
from faultwire_consumer.web.openapi.operation import describe
from faultwire_consumer.web.parameter import Paged, paged
from faultwire_consumer.web.request import (
    API_PREFIX,
    check_text,
    cursor_errors,
    dead_letter_filter,
    dead_letter_of,
    json_answer,
    page_answer,
)
from faultwire_consumer.web.state import CLOCK, REPLAYER, STORE
from faultwire_shared.taxonomy import FieldError, ValidationError

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


class _AskedChange(msgspec.Struct, frozen=True):
    """A change, with who asks for it and why."""

    actor: str
    why: str


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
    asked, letter = _asked(request, body), await dead_letter_of(request)
    if body.dry_run:
        actions.check_replay(letter)
        if body.accept_old:
            letter, _ = actions.with_today_s_id(letter, today=request.app[CLOCK]().date())
        attempt = await request.app[REPLAYER].rehearse(letter)
        outcome = "would_replay" if attempt.is_kept else "would_fail"
        return _answer(letter, outcome, attempt.detail, attempt.events, examined=REHEARSED)
    done = await actions.replay_dead_letter(
        request.app[STORE],
        letter.id,
        request.app[REPLAYER].replay,
        actor=asked.actor,
        now=request.app[CLOCK],
        why=asked.why,
        accept_old=body.accept_old,
    )
    letter = await dead_letter_of(request)
    if done is None:
        return _answer(letter, "unchanged", "it was replayed before")
    return _answer(letter, "replayed" if done.is_kept else "replay_failed", done.detail, done.events)


@routes.post(f"{_PATH}/{{id}}/edit", access=AccessScope.ACT)
@_change(EditRequest)
async def edit(request: web.Request, body: EditRequest) -> web.Response:
    """Correct the body that a replay takes; the answer says what that replay would do."""
    asked, letter = _asked(request, body), await dead_letter_of(request)
    corrected = request.app[REPLAYER].scrub(encoded(body.body))
    actions.check_edit(letter.id, letter.status, corrected)
    attempt = await request.app[REPLAYER].rehearse(replace(letter, edited_body=corrected))
    detail = f"a replay would {'keep it' if attempt.is_kept else 'fail'}: {attempt.detail}"
    if body.dry_run:
        return _answer(letter, "would_edit", detail, attempt.events, examined=REHEARSED)
    await actions.edit_dead_letter(
        request.app[STORE],
        letter.id,
        corrected,
        actor=asked.actor,
        now=request.app[CLOCK](),
        why=asked.why,
    )
    return _answer(await dead_letter_of(request), "edited", detail, attempt.events)


@routes.post(f"{_PATH}/{{id}}/discard", access=AccessScope.ACT)
@_change(DiscardRequest)
async def discard(request: web.Request, body: DiscardRequest) -> web.Response:
    """Say that nobody wants it; the body stays."""
    asked, letter = _asked(request, body), await dead_letter_of(request)
    if body.dry_run:
        actions.check_discard(letter.id, letter.status)
        return _answer(letter, "would_discard", "", examined="its status was read")
    changed = await actions.discard_dead_letter(
        request.app[STORE], letter.id, actor=asked.actor, now=request.app[CLOCK](), why=asked.why
    )
    detail = "" if changed else "it was discarded before"
    return _answer(await dead_letter_of(request), "discarded" if changed else "unchanged", detail)


def encoded(text: str) -> bytes:
    """Return a corrected body's bytes.

    Raises:
        ValidationError: half a surrogate pair stands alone in it.
    """
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise ValidationError(errors=[FieldError("body", "a text that can be written as UTF-8")]) from None


def _asked(request: web.Request, body: ReplayRequest | EditRequest | DiscardRequest) -> _AskedChange:
    why = check_text("why", body.why, least=0, most=500)
    return _AskedChange(actor=actor_of(request, body.actor), why=why)


def _answer(
    letter: DeadLetterBody,
    outcome: str,
    detail: str,
    events: tuple[dict[str, object], ...] = (),
    *,
    examined: str = "",
) -> web.Response:
    return json_answer(
        shape.LetterAnswer(
            id=letter.id,
            status=letter.status.value,
            outcome=outcome,
            detail=detail,
            attempts=letter.attempts,
            events=events,
            dry_run=bool(examined),
            examined=examined,
        )
    )
