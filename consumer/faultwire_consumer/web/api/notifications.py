"""Notifications and rules under ``/api/v1``: lists, one with all that happened to it, the policy in use."""

import asyncio
from typing import Final

from aiohttp import web
from msgspec import Struct

from faultwire_consumer.actions.notifications import (
    RESEND_NOTE_CHARACTERS,
    AlertConflictError,
    AlertNotFoundError,
    resend_notification,
    unknown_alert,
)
from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.domain.notification import NotificationKind
from faultwire_consumer.domain.sending import NotificationState
from faultwire_consumer.notify.trial import ReceiverNotFoundError, TooManyTestsError, TrialResult
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.outbox.queries import (
    NotificationFilter,
    get_notification,
    list_attempts,
    list_grouped_incidents,
    list_notifications,
    list_stages,
)
from faultwire_consumer.web.access.actor import actor_of
from faultwire_consumer.web.access.declared import AccessRoutes
from faultwire_consumer.web.api import notification_shape as shape
from faultwire_consumer.web.openapi.operation import describe
from faultwire_consumer.web.parameter import Paged, Parameters, paged
from faultwire_consumer.web.request import (
    API_PREFIX,
    alert_id_of,
    check_text,
    cursor_errors,
    json_answer,
    page_answer,
)
from faultwire_consumer.web.state import CLOCK, POLICY, POLICY_STATUS, STORE, TEMPLATE_FAULTS, TRIAL
from faultwire_shared.event import ErrorSeverity

_PATH: Final = f"{API_PREFIX}/alerts"

routes = AccessRoutes()


class ResendRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a request to send a notification again; it may be missing."""

    actor: str | None = None
    """Who asks, where nobody has to sign in; beside the name of a token."""
    note: str = ""
    """Why, for the notification's trace."""


class TrialRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a request to test a receiver; it may be missing."""

    actor: str | None = None
    """Who asks; the test says so."""


def alert_filter(parameters: Parameters) -> NotificationFilter:
    """The filters of a list of notifications."""
    return NotificationFilter(
        state=parameters.choices("state", NotificationState),
        kind=parameters.choices("kind", NotificationKind),
        receiver=parameters.texts("receiver"),
        rule=parameters.texts("rule"),
        severity=parameters.choices("severity", ErrorSeverity),
        incident=parameters.incident("incident"),
        silence=parameters.row_number("silence", "Stopped or held back by this silence."),
        carrier=parameters.row_number("carrier", "Told in this notification, a summary."),
    )


@routes.get(_PATH, access=AccessScope.READ)
@describe(reads=paged(alert_filter), answers=shape.AlertList)
async def list_(request: web.Request, asked: Paged[NotificationFilter]) -> web.Response:
    """Notifications by filter, the newest first."""
    with cursor_errors():
        page = await list_notifications(
            request.app[STORE], asked.wanted, limit=asked.limit, cursor=asked.cursor
        )
    rows = tuple(shape.alert_shape(row) for row in page.rows)
    return page_answer(request, shape.AlertList(alerts=rows, next_cursor=page.next_cursor))


@routes.get(f"{_PATH}/{{id}}", access=AccessScope.READ)
@describe(answers=shape.AlertDetail, raises=[AlertNotFoundError])
async def show(request: web.Request) -> web.Response:
    """One notification: what every stage decided, every attempt, and the other incidents it covers."""
    return json_answer(await _detail(request.app[STORE], alert_id_of(request)))


@routes.post(f"{_PATH}/{{id}}/resend", access=AccessScope.ACT)
@describe(takes=ResendRequest, answers=shape.AlertDetail, raises=[AlertNotFoundError, AlertConflictError])
async def send_again(request: web.Request, asked: ResendRequest) -> web.Response:
    """Have a notification that was sent, given up or stopped sent again, under the same key."""
    number = alert_id_of(request)
    await resend_notification(
        request.app[STORE],
        number,
        receivers=[one.name for one in request.app[POLICY]().receivers],
        actor=actor_of(request, asked.actor),
        now=request.app[CLOCK](),
        note=check_text("note", asked.note, least=0, most=RESEND_NOTE_CHARACTERS),
    )
    return json_answer(await _detail(request.app[STORE], number))


@routes.post(f"{API_PREFIX}/receivers/{{name}}/test", access=AccessScope.ACT)
@describe(takes=TrialRequest, answers=TrialResult, raises=[ReceiverNotFoundError, TooManyTestsError])
async def try_receiver(request: web.Request, asked: TrialRequest) -> web.Response:
    """Send a marked test through a receiver's own sender, and say what became of it."""
    actor = actor_of(request, asked.actor)
    return json_answer(await request.app[TRIAL].run(request.match_info["name"], actor=actor))


async def _detail(store: Store, alert_id: int) -> shape.AlertDetail:
    alert = await get_notification(store, alert_id)
    if alert is None:
        raise unknown_alert(alert_id)
    stages, tries, told = await asyncio.gather(
        list_stages(store, alert.id), list_attempts(store, alert.id), list_grouped_incidents(store, alert)
    )
    return shape.alert_detail(alert, stages=stages, tries=tries, told=told)


@routes.get(f"{API_PREFIX}/rules", access=AccessScope.READ)
@describe(answers=shape.PolicyShape)
async def show_rules(request: web.Request) -> web.Response:
    """The policy in use, and whether its file can be used as it is."""
    app = request.app
    return json_answer(shape.policy_shape(app[POLICY](), app[POLICY_STATUS](), app[TEMPLATE_FAULTS]()))
