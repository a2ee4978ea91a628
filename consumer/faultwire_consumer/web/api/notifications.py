"""Notifications and rules under ``/api/v1``: lists, one with all that happened to it, the policy in use."""

import asyncio
from typing import Final

from aiohttp import web

from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.domain.incident_name import parse_incident_id
from faultwire_consumer.domain.sending import NotificationState
from faultwire_consumer.store.outbox.queries import (
    NotificationFilter,
    get_notification,
    list_attempts,
    list_grouped_incidents,
    list_notifications,
    list_stages,
)
from faultwire_consumer.web.access.declared import AccessRoutes
from faultwire_consumer.web.api import notification_shape as shape
from faultwire_consumer.web.openapi.operation import describe
from faultwire_consumer.web.parameter import Paged, Parameters, paged
from faultwire_consumer.web.request import (
    API_PREFIX,
    cursor_errors,
    json_answer,
    page_answer,
)
from faultwire_consumer.web.state import POLICY, STORE
from faultwire_shared.event import ErrorSeverity
from faultwire_shared.taxonomy import NotFoundError

_PATH: Final = f"{API_PREFIX}/alerts"

routes = AccessRoutes()


class AlertNotFoundError(NotFoundError):
    """No notification has that id."""

    code = "ALERT_NOT_FOUND"


def alert_filter(parameters: Parameters) -> NotificationFilter:
    """The filters of a list of notifications."""
    return NotificationFilter(
        state=parameters.choices("state", NotificationState),
        receiver=parameters.texts("receiver"),
        rule=parameters.texts("rule"),
        severity=parameters.choices("severity", ErrorSeverity),
        incident=parameters.incident("incident"),
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
    text, store = request.match_info["id"], request.app[STORE]
    number = parse_incident_id(text) if text.isdigit() else None
    alert = None if number is None else await get_notification(store, number)
    if alert is None:
        raise AlertNotFoundError(f"there is no alert {text[:100]}")
    stages, tries, told = await asyncio.gather(
        list_stages(store, alert.id), list_attempts(store, alert.id), list_grouped_incidents(store, alert)
    )
    return json_answer(shape.alert_detail(alert, stages=stages, tries=tries, told=told))


@routes.get(f"{API_PREFIX}/rules", access=AccessScope.READ)
@describe(answers=shape.PolicyShape)
async def show_rules(request: web.Request) -> web.Response:
    """The policy in use."""
    return json_answer(shape.policy_shape(request.app[POLICY]()))
