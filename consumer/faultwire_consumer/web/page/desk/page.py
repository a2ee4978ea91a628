"""The desk: dead letters as a list, one with its body, and what is done to them."""

from typing import Final

from aiohttp import web

from faultwire_consumer.actions.dead_letters import discard_dead_letter, replay_dead_letter
from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.domain.dead_body import find_place
from faultwire_consumer.domain.dead_letter import DeadLetterStatus
from faultwire_consumer.store.dead_letters import queries as letter_queries
from faultwire_consumer.web.access.actor import actor_of
from faultwire_consumer.web.access.declared import AccessRoutes
from faultwire_consumer.web.page.shell import show
from faultwire_consumer.web.request import cursor_errors, dead_letter_filter, dead_letter_of, read_parameters
from faultwire_consumer.web.state import CLOCK, REPLAYER, STORE

ROWS: Final = 50

routes = AccessRoutes()


@routes.get("/dead-letters", access=AccessScope.READ)
async def show_dead_letters(request: web.Request) -> web.Response:
    """The bodies that could not be stored, and why."""
    parameters = read_parameters(request)
    status = parameters.text("status") or DeadLetterStatus.WAITING.value
    wanted, cursor = dead_letter_filter(parameters), parameters.cursor()
    parameters.finish()
    with cursor_errors():
        page = await letter_queries.list_dead_letters(request.app[STORE], wanted, limit=ROWS, cursor=cursor)
    following = request.rel_url.update_query(cursor=page.next_cursor) if page.next_cursor else None
    return await show(
        request,
        "desk/page.html",
        letters=page.rows,
        following=following,
        chosen=status,
        statuses=[*DeadLetterStatus, "all"],
    )


@routes.get("/dead-letters/{id}", access=AccessScope.READ)
async def show_dead_letter(request: web.Request) -> web.Response:
    """One dead letter with its body, what was done to it, and what can be."""
    letter = await dead_letter_of(request)
    history = await letter_queries.list_dead_letter_history(request.app[STORE], letter.id)
    place = find_place(letter.body, size=letter.size, detail=letter.detail)
    begin = len(letter.body) if place is None else place.offset
    end = begin if place is None else begin + place.length
    parts = (letter.body[:begin], letter.body[begin:end], letter.body[end:])
    before, wrong, after = (part.decode("utf-8", "backslashreplace") for part in parts)
    return await show(
        request,
        "desk/letter.html",
        letter=letter,
        place=place,
        before=before,
        wrong=wrong,
        after=after,
        edited=None if letter.edited_body is None else letter.edited_body.decode(errors="backslashreplace"),
        history=history,
        verbs=_letter_verbs(letter),
    )


@routes.post("/dead-letters/{id}/{verb:replay|discard}", access=AccessScope.ACT)
async def change_dead_letter(request: web.Request) -> web.Response:
    """Do what a button says, then show the dead letter again; its history gives the outcome."""
    letter, store, clock = await dead_letter_of(request), request.app[STORE], request.app[CLOCK]
    if request.match_info["verb"] == "replay":
        await replay_dead_letter(
            store, letter.id, request.app[REPLAYER].replay, actor=actor_of(request), now=clock
        )
    else:
        await discard_dead_letter(store, letter.id, actor=actor_of(request), now=clock())
    raise web.HTTPSeeOther(f"/dead-letters/{letter.id}")


def _letter_verbs(letter: letter_queries.DeadLetterBody) -> tuple[str, ...]:
    replayable = ("replay",) if letter.size == len(letter.body) or letter.edited_body is not None else ()
    return {
        DeadLetterStatus.WAITING: (*replayable, "discard"),
        DeadLetterStatus.DISCARDED: replayable,
        DeadLetterStatus.REPLAYED: (),
    }[letter.status]
