"""Dead letters under ``/api/v1``: lists, one with its body, replay and discard."""

from typing import Final

import msgspec
from aiohttp import web

from faultwire_consumer import actions
from faultwire_consumer.domain.access.scope import AccessScope
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

_PATH: Final = f"{API_PREFIX}/dead-letters"

routes = AccessRoutes()


class DeadLetterChangeRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a replay or discard; it may be missing."""

    actor: str | None = None
    """Who asks, where nobody has to sign in; beside the name of a token."""
    why: str = ""
    """The operator's reason, for the history."""
    dry_run: bool = False


class _AskedChange(msgspec.Struct, frozen=True):
    """A replay or discard, with who asks for it."""

    actor: str
    why: str
    dry_run: bool


_changes: Final = describe(
    takes=DeadLetterChangeRequest,
    answers=shape.LetterAnswer,
    raises=[actions.DeadLetterNotFoundError, actions.DeadLetterConflictError],
)


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
@describe(answers=shape.DeadLetterDetail, raises=[actions.DeadLetterNotFoundError])
async def show_letter(request: web.Request) -> web.Response:
    """One dead letter with its body and what was done to it."""
    letter = await dead_letter_of(request)
    history = await list_dead_letter_history(request.app[STORE], letter.id)
    return json_answer(shape.dead_letter_detail(letter, history=history))


@routes.post(f"{_PATH}/{{id}}/replay", access=AccessScope.ACT)
@_changes
async def replay(request: web.Request, body: DeadLetterChangeRequest) -> web.Response:
    """Put the body through ingest again."""
    asked, letter = _checked(request, body), await dead_letter_of(request)
    if asked.dry_run:
        actions.check_replay(letter)
        attempt = request.app[REPLAYER].rehearse(letter, now=request.app[CLOCK]())
        outcome = "would_replay" if attempt.is_kept else "would_fail"
        return _answer(letter, outcome, attempt.detail, attempt.events, dry_run=True)
    done = await actions.replay_dead_letter(
        request.app[STORE],
        letter.id,
        request.app[REPLAYER].replay,
        actor=asked.actor,
        now=request.app[CLOCK],
        why=asked.why,
    )
    letter = await dead_letter_of(request)
    if done is None:
        return _answer(letter, "unchanged", "it was replayed before")
    return _answer(letter, "replayed" if done.is_kept else "replay_failed", done.detail, done.events)


@routes.post(f"{_PATH}/{{id}}/discard", access=AccessScope.ACT)
@_changes
async def discard(request: web.Request, body: DeadLetterChangeRequest) -> web.Response:
    """Say that nobody wants it; the body stays."""
    asked, letter = _checked(request, body), await dead_letter_of(request)
    if asked.dry_run:
        actions.check_discard(letter.id, letter.status)
        return _answer(letter, "would_discard", "", dry_run=True)
    changed = await actions.discard_dead_letter(
        request.app[STORE], letter.id, actor=asked.actor, now=request.app[CLOCK](), why=asked.why
    )
    detail = "" if changed else "it was discarded before"
    return _answer(await dead_letter_of(request), "discarded" if changed else "unchanged", detail)


def _checked(request: web.Request, asked: DeadLetterChangeRequest) -> _AskedChange:
    return _AskedChange(
        actor=actor_of(request, asked.actor),
        why=check_text("why", asked.why, least=0, most=500),
        dry_run=asked.dry_run,
    )


def _answer(
    letter: DeadLetterBody,
    outcome: str,
    detail: str,
    events: tuple[dict[str, object], ...] = (),
    *,
    dry_run: bool = False,
) -> web.Response:
    return json_answer(
        shape.LetterAnswer(
            id=letter.id,
            status=letter.status.value,
            outcome=outcome,
            detail=detail,
            attempts=letter.attempts,
            events=events,
            dry_run=dry_run,
        )
    )
