"""Notifications with every attempt, and what is to be done about those that were given up."""

import asyncio
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from aiohttp import web
from msgspec import Struct

from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.domain.incident_name import incident_name, parse_incident_id
from faultwire_consumer.domain.sending import NotificationState
from faultwire_consumer.store.contract.paging import Page
from faultwire_consumer.store.outbox.queries import (
    NotificationFilter,
    StoredNotification,
    get_notification,
    list_attempts,
    list_grouped_incidents,
    list_notifications,
    list_stages,
    read_telling_facts,
)
from faultwire_consumer.web.access.declared import AccessRoutes
from faultwire_consumer.web.page.shell import show
from faultwire_consumer.web.page.told.view import stage_lines, told_lines, told_rows, try_lines
from faultwire_consumer.web.parameter import Parameters
from faultwire_consumer.web.request import cursor_errors, read_parameters
from faultwire_consumer.web.state import CLOCK, POLICY, STORE
from faultwire_shared.taxonomy import NotFoundError

ROWS: Final = 50

routes = AccessRoutes()


class NotificationMissingError(NotFoundError):
    """No notification has that number."""

    code = "ALERT_NOT_FOUND"


class ToldView(StrEnum):
    """The notifications that a list shows."""

    NEEDS = "needs"
    """Given up: somebody has to look."""
    WAITING = "waiting"
    SENT = "sent"
    STOPPED = "stopped"
    ALL = "all"


VIEWS: Final[Mapping[ToldView, str]] = {
    ToldView.NEEDS: "Needs you",
    ToldView.WAITING: "Waiting",
    ToldView.SENT: "Sent",
    ToldView.STOPPED: "Stopped",
    ToldView.ALL: "All",
}
_STATES: Final[Mapping[ToldView, tuple[NotificationState, ...]]] = {
    ToldView.NEEDS: (NotificationState.GIVEN_UP,),
    ToldView.WAITING: (NotificationState.WAITING, NotificationState.CARRIED),
    ToldView.SENT: (NotificationState.SENT,),
    ToldView.STOPPED: (NotificationState.STOPPED,),
    ToldView.ALL: (),
}


class ToldAsked(Struct, frozen=True, kw_only=True):
    """The list that is asked for."""

    view: ToldView | None
    """None: what needs somebody, and all where nothing does."""
    incident: int | None
    receiver: str | None
    rule: str | None
    silence: int | None
    carrier: int | None
    """Told in this notification, a summary."""
    cursor: str | None


@routes.get("/told", access=AccessScope.READ)
async def show_told(request: web.Request) -> web.Response:
    """Notifications in a view, of one incident or receiver where that is asked for, the newest first."""
    asked = told_asked(read_parameters(request))
    store = request.app[STORE]
    with cursor_errors():
        view, page = await _read_page(request, asked)
    facts = await read_telling_facts(store, page.rows)
    policy = request.app[POLICY]()
    following = request.rel_url.update_query(cursor=page.next_cursor) if page.next_cursor else None
    return await show(
        request,
        "told/page.html",
        rows=told_rows(page.rows, facts, now=request.app[CLOCK]()),
        views=[(one.value, words, view_path(request, one)) for one, words in VIEWS.items()],
        view=view.value,
        asked=asked,
        incident=incident_name(asked.incident) if asked.incident is not None else "",
        receivers=sorted({one.name for one in policy.receivers} | ({asked.receiver or ""} - {""})),
        following=following,
        first=request.rel_url.without_query_params("cursor") if asked.cursor else None,
    )


@routes.get("/told/{id}", access=AccessScope.READ)
async def show_notification(request: web.Request) -> web.Response:
    """One notification: what every stage decided, every attempt, and all that it tells of."""
    store, text = request.app[STORE], request.match_info["id"]
    number = parse_incident_id(text) if text.isdigit() else None
    alert = None if number is None else await get_notification(store, number)
    if alert is None:
        raise NotificationMissingError(f"there is no notification {text[:100]}")
    stages, tries, told, facts = await asyncio.gather(
        list_stages(store, alert.id),
        list_attempts(store, alert.id),
        list_grouped_incidents(store, alert),
        read_telling_facts(store, [alert]),
    )
    (row,) = told_rows([alert], facts, now=request.app[CLOCK]())
    lines, more = told_lines(told)
    return await show(
        request,
        "told/notification.html",
        alert=alert,
        row=row,
        stages=stage_lines(stages),
        tries=try_lines(tries),
        told=lines,
        more_told=more,
    )


def told_asked(parameters: Parameters) -> ToldAsked:
    """Read what is asked for.

    Raises:
        ValidationError: with all that is wrong.
    """
    views = parameters.choices("view", ToldView)
    asked = ToldAsked(
        view=views[-1] if views else None,
        incident=parameters.incident("incident"),
        receiver=parameters.text("receiver"),
        rule=parameters.text("rule"),
        silence=parameters.row_number("silence", "Stopped or held back by this silence."),
        carrier=parameters.row_number("carrier", "Told in this notification, a summary."),
        cursor=parameters.cursor(),
    )
    parameters.finish()
    return asked


def view_path(request: web.Request, view: ToldView) -> str:
    """Return the address of another view of the same list."""
    return str(request.rel_url.without_query_params("cursor").update_query(view=view.value))


async def _read_page(request: web.Request, asked: ToldAsked) -> tuple[ToldView, Page[StoredNotification]]:
    if asked.view is not None:
        return asked.view, await _list(request, asked, asked.view)
    if not (asked.incident or asked.receiver or asked.rule or asked.silence or asked.carrier):
        page = await _list(request, asked, ToldView.NEEDS)
        if page.rows or asked.cursor is not None:
            return ToldView.NEEDS, page
    return ToldView.ALL, await _list(request, asked, ToldView.ALL)


async def _list(request: web.Request, asked: ToldAsked, view: ToldView) -> Page[StoredNotification]:
    wanted = NotificationFilter(
        state=_STATES[view],
        receiver=() if asked.receiver is None else (asked.receiver,),
        rule=() if asked.rule is None else (asked.rule,),
        incident=asked.incident,
        silence=asked.silence,
        carrier=asked.carrier,
        is_own=view is ToldView.NEEDS,
    )
    return await list_notifications(request.app[STORE], wanted, limit=ROWS, cursor=asked.cursor)
