"""One dead letter: its body with what is wrong in it marked, its correction, and what was done to it."""

from typing import Any, Final

from aiohttp import web
from msgspec import Struct
from msgspec.structs import replace

from faultwire_consumer.actions.dead_letters import DeadLetterConflictError
from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.domain.dead_body import BodyPlace, fields_of, find_place
from faultwire_consumer.domain.dead_letter import ReplayOutcome
from faultwire_consumer.ingest.replay import REHEARSED
from faultwire_consumer.store.dead_letters.queries import DeadLetterBody, list_dead_letter_history
from faultwire_consumer.web.access.declared import AccessRoutes
from faultwire_consumer.web.access.told_acts import NOTHING_DONE
from faultwire_consumer.web.letter_desk import (
    AskedChange,
    ChangeResult,
    asked_change,
    discard_letter,
    edit_letter,
    replay_letter,
)
from faultwire_consumer.web.page.desk.view import PATH, letter_view, outcome_words
from faultwire_consumer.web.page.form import SentForm, read_form
from faultwire_consumer.web.page.notice import Notice
from faultwire_consumer.web.page.shell import go_to, show
from faultwire_consumer.web.request import dead_letter_of, read_parameters
from faultwire_consumer.web.state import STORE
from faultwire_shared.event import MESSAGE_BYTES
from faultwire_shared.taxonomy import ValidationError

_EDIT: Final = ("body", "why", "dry_run", "then")
_CHANGE: Final = ("why", "accept_old", "dry_run")
_HISTORY_SHOWN: Final = 50
_SAID: Final = {
    "replayed": "Replayed: {detail}.",
    "replay_failed": "It failed again and stays: {detail}.",
    "discarded": "Discarded. A replay would still take it.",
    "unchanged": "Nothing was changed: {detail}.",
}

routes = AccessRoutes()


class Tried(Struct, frozen=True, kw_only=True):
    """The result of a dry run, of the letter as it is or of what was typed."""

    is_kept: bool
    words: str
    detail: str
    extent: str


class Typed(Struct, frozen=True, kw_only=True):
    """A form that is shown again: what was typed, and what is wrong with it."""

    body: str
    why: str
    error: str = ""
    """Of the body."""
    why_error: str = ""
    place: BodyPlace | None = None


@routes.get(f"{PATH}/{{id}}", access=AccessScope.READ)
async def show_dead_letter(request: web.Request) -> web.Response:
    """One dead letter with its body, what was done to it, and what can be."""
    read_parameters(request).finish()
    return await _letter_page(request, await dead_letter_of(request))


@routes.post(f"{PATH}/{{id}}/edit", access=AccessScope.ACT)
async def edit(request: web.Request) -> web.Response:
    """Keep a corrected body, or only try it; what was typed is shown again where it cannot be kept."""
    letter, form = await dead_letter_of(request), await read_form(request, fields_max=len(_EDIT) + 1)
    form.refuse_others(_EDIT)
    text, is_dry = form.text("body").replace("\r\n", "\n"), form.flag("dry_run")
    try:
        asked = asked_change(request, why=form.text("why"), dry_run=is_dry)
        result, attempt = await edit_letter(request, letter, text, asked)
    except (ValidationError, DeadLetterConflictError) as error:
        return await _refused(request, letter, form, error)
    if not is_dry:
        return await _go_on(request, letter, asked, result, then=form.text("then"))
    request[NOTHING_DONE] = True
    return await _letter_page(request, letter, tried=_tried_typed(attempt), typed=_typed(form, text, attempt))


def _tried_typed(attempt: ReplayOutcome) -> Tried:
    words = "This would be kept" if attempt.is_kept else "This would fail again"
    return Tried(is_kept=attempt.is_kept, words=words, detail=attempt.detail, extent=REHEARSED)


def _typed(form: SentForm, text: str, attempt: ReplayOutcome) -> Typed:
    if attempt.is_kept:
        return Typed(body=text, why=form.text("why"))
    body = text.encode()
    place = find_place(body, size=len(body), detail=attempt.detail)
    return Typed(body=text, why=form.text("why"), error=attempt.detail, place=place)


async def _go_on(
    request: web.Request, letter: DeadLetterBody, asked: AskedChange, result: ChangeResult, *, then: str
) -> web.Response:
    """Go on after a correction was kept: to the letter, or to its replay at once."""
    path = f"{PATH}/{letter.id}"
    if then != "replay":
        return go_to(path, Notice(f"Kept; {result.detail}."))
    replayed = await replay_letter(request, await dead_letter_of(request), replace(asked, why=""))
    return go_to(path, _notice(replayed))


async def _refused(
    request: web.Request,
    letter: DeadLetterBody,
    form: SentForm,
    error: ValidationError | DeadLetterConflictError,
) -> web.Response:
    request[NOTHING_DONE] = True
    wrong = {one.field: one.message for one in error.errors} if isinstance(error, ValidationError) else {}
    typed = Typed(
        body=form.text("body"),
        why=form.text("why"),
        error=wrong.get("body", "" if wrong else str(error)),
        why_error=wrong.get("why", ""),
    )
    return await _letter_page(request, letter, status=error.status, typed=typed)


@routes.post(f"{PATH}/{{id}}/{{verb:replay|discard}}", access=AccessScope.ACT)
async def change_dead_letter(request: web.Request) -> web.Response:
    """Do what a button says, then show the dead letter again; its history gives the outcome."""
    letter, form = await dead_letter_of(request), await read_form(request, fields_max=len(_CHANGE) + 1)
    path, is_dry = f"{PATH}/{letter.id}", form.flag("dry_run")
    change = replay_letter if request.match_info["verb"] == "replay" else discard_letter
    try:
        form.refuse_others(_CHANGE)
        asked = asked_change(
            request, why=form.text("why"), dry_run=is_dry, accept_old=form.flag("accept_old")
        )
        result = await change(request, letter, asked)
    except (ValidationError, DeadLetterConflictError) as error:
        request[NOTHING_DONE] = True
        return go_to(path, Notice(f"Nothing was changed: {error}.", refused=True))
    if is_dry:
        request[NOTHING_DONE] = True
        return await _letter_page(request, letter, tried=_tried(result))
    if result.outcome == "unchanged":
        request[NOTHING_DONE] = True
    return go_to(path, _notice(result))


def _tried(result: ChangeResult) -> Tried:
    is_kept = result.outcome not in ("would_fail", "unchanged")
    words = f"It {outcome_words(result.outcome)}"
    return Tried(is_kept=is_kept, words=words, detail=result.detail, extent=result.examined)


def _notice(result: ChangeResult) -> Notice:
    is_refused = result.outcome in ("replay_failed", "unchanged")
    return Notice(_SAID[result.outcome].format(detail=result.detail), refused=is_refused)


async def _letter_page(
    request: web.Request,
    letter: DeadLetterBody,
    *,
    status: int = 200,
    tried: Tried | None = None,
    typed: Typed | None = None,
) -> web.Response:
    history = await list_dead_letter_history(request.app[STORE], letter.id)
    view = letter_view(letter)
    values: dict[str, Any] = {"letter": letter, "view": view, "tried": tried}
    return await show(
        request,
        "desk/letter.html",
        status=status,
        typed=typed or Typed(body=view.editable or "", why=""),
        fields=fields_of(letter.body) if letter.body else {},
        history=history[:_HISTORY_SHOWN],
        older=max(0, len(history) - _HISTORY_SHOWN),
        most=MESSAGE_BYTES,
        **values,
    )
