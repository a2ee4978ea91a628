"""The desk: dead letters by reason, and what is done to those that were chosen."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from aiohttp import web

from faultwire_consumer.domain.access.next_path import HOME, next_path
from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.domain.dead_letter import DeadLetterStatus
from faultwire_consumer.domain.incident_name import parse_incident_id
from faultwire_consumer.ingest.replay import REHEARSED
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.dead_letters import queries
from faultwire_consumer.web.access.declared import AccessRoutes
from faultwire_consumer.web.access.told_acts import NOTHING_DONE
from faultwire_consumer.web.letter_desk import (
    LETTERS_MAX,
    ChangeResult,
    asked_change,
    change_many,
    numbers_by_reason,
)
from faultwire_consumer.web.page.desk.view import PATH, desk_view, outcome_words
from faultwire_consumer.web.page.form import SentForm, read_form
from faultwire_consumer.web.page.notice import Notice
from faultwire_consumer.web.page.shell import go_to, show
from faultwire_consumer.web.parameter import Parameters
from faultwire_consumer.web.request import cursor_errors, dead_letter_filter, read_parameters
from faultwire_consumer.web.state import CLOCK, STORE
from faultwire_shared.taxonomy import FieldError, ValidationError

ROWS: Final = 50
ROWS_OF_EACH: Final = 10
_FIELDS: Final = ("id", "all_of", "status", "service", "why", "accept_old", "dry_run", "next")
_DONE: Final = {"replayed", "discarded"}
_SAID: Final = {
    "replayed": "replayed",
    "replay_failed": "failed again and stayed: open one to read why",
    "discarded": "discarded",
    "unchanged": "as it was before",
    "refused": "refused: open it to read why",
}

routes = AccessRoutes()


@routes.get(PATH, access=AccessScope.READ)
async def show_dead_letters(request: web.Request) -> web.Response:
    """The bodies that could not be stored, by what is wrong with them."""
    parameters = read_parameters(request)
    status = (parameters.text("status") or DeadLetterStatus.WAITING).strip().lower()
    wanted, cursor = dead_letter_filter(parameters), parameters.cursor()
    parameters.finish()
    store = request.app[STORE]
    counts = await queries.count_dead_letters(store, service=wanted.service)
    following = None
    if len(wanted.reason) == 1:
        with cursor_errors():
            page = await queries.list_dead_letters(store, wanted, limit=ROWS, cursor=cursor)
        newest = {wanted.reason[0]: page.rows}
        following = request.rel_url.update_query(cursor=page.next_cursor) if page.next_cursor else None
    else:
        newest = await queries.list_newest_by_reason(store, wanted, each=ROWS_OF_EACH)
    view = desk_view(wanted, status, counts, newest)
    return await show(request, "desk/page.html", view=view, following=following, is_later=cursor is not None)


@routes.post(f"{PATH}/many/{{verb:replay|discard}}", access=AccessScope.ACT)
async def change_chosen(request: web.Request) -> web.Response:
    """Do what a button says to dead letters that were chosen, or show first what would become of each."""
    verb, form = request.match_info["verb"], await read_form(request)
    path = next_path(form.text("next"))
    path = PATH if path == HOME else path
    is_dry = form.flag("dry_run")
    try:
        form.refuse_others(_FIELDS)
        asked = asked_change(
            request, why=form.text("why"), dry_run=is_dry, accept_old=form.flag("accept_old")
        )
        ids, left = await _chosen(request, form)
    except ValidationError as error:
        request[NOTHING_DONE] = True
        said = "; ".join(one.message for one in error.errors)
        return go_to(path, Notice(f"Nothing was changed: {said}.", refused=True))
    results = await change_many(request, verb, ids, asked)
    if is_dry:
        request[NOTHING_DONE] = True
        return await _preview(request, verb, results, path=path, form=form, left=left)
    if not any(result.outcome in _DONE for result in results):
        request[NOTHING_DONE] = True
    return go_to(path, notice_of(results, left=left))


async def _preview(
    request: web.Request, verb: str, results: Sequence[ChangeResult], *, path: str, form: SentForm, left: int
) -> web.Response:
    able = tuple(result.id for result in results if result.outcome in ("would_replay", "would_discard"))
    return await show(
        request,
        "desk/preview.html",
        verb=verb,
        results=[(result, outcome_words(result.outcome)) for result in results],
        able=able,
        left=left,
        why=form.text("why"),
        accept_old=form.flag("accept_old"),
        examined=REHEARSED if verb == "replay" else "",
        following=path,
    )


async def _chosen(request: web.Request, form: SentForm) -> tuple[list[int], int]:
    """Return the dead letters that are meant, the oldest first, and how many more there are.

    Raises:
        ValidationError: none was chosen, too many, or what is none.
    """
    named = [parse_incident_id(one) if one.isdigit() else None for one in form.texts("id")]
    if None in named:
        raise ValidationError(errors=[FieldError("id", "a dead letter is named by its number")])
    if len(named) > LETTERS_MAX:
        raise ValidationError(errors=[FieldError("id", f"at most {LETTERS_MAX} at a time")])
    ids, left = sorted({one for one in named if one is not None}), 0
    if form.texts("all_of"):
        ids, left = await _with_all(request.app[STORE], form, ids, now=request.app[CLOCK]())
    if not ids:
        raise ValidationError(errors=[FieldError("id", "choose at least one dead letter")])
    return ids, left


async def _with_all(store: Store, form: SentForm, ids: list[int], *, now: datetime) -> tuple[list[int], int]:
    """Return the ids with those of whole reasons, as the list that was looked at has them."""
    asked = {"reason": form.texts("all_of"), "status": form.texts("status"), "service": form.texts("service")}
    parameters = Parameters({name: list(values) for name, values in asked.items() if values}, now=now)
    wanted = dead_letter_filter(parameters)
    parameters.finish()
    counts = await queries.count_dead_letters(store, service=wanted.service)
    total = sum(numbers_by_reason(counts, wanted).values())
    found = await queries.list_oldest_ids(store, wanted, limit=LETTERS_MAX)
    chosen = sorted({*ids, *found})[:LETTERS_MAX]
    return chosen, max(0, total - len(found))


def notice_of(results: Sequence[ChangeResult], *, left: int) -> Notice:
    """Return the sentence for dead letters that were chosen."""
    counted = Counter(result.outcome for result in results)
    parts = [f"{counted[outcome]:,} {words}" for outcome, words in _SAID.items() if counted[outcome]]
    text = f"{len(results):,} dead letter{'' if len(results) == 1 else 's'}: {', '.join(parts)}"
    if left:
        text += f"; {left:,} more are left, for the next time"
    return Notice(f"{text}.", refused=not any(result.outcome in _DONE for result in results))
