"""Releases under ``/api/v1``: what each brought, ended and made worse."""

from datetime import datetime

from aiohttp import web
from msgspec import Struct

from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.domain.incident_name import incident_name
from faultwire_consumer.store.events.figures.reading import read_counted_since
from faultwire_consumer.store.events.figures.releases import (
    ReleaseEffect,
    ReleaseTotal,
    WorstIncident,
    list_releases,
    read_effects,
)
from faultwire_consumer.web.access.declared import AccessRoutes
from faultwire_consumer.web.openapi.operation import describe
from faultwire_consumer.web.parameter import Paged, Parameters, paged
from faultwire_consumer.web.request import API_PREFIX, cursor_errors, page_answer
from faultwire_consumer.web.state import CLOCK, STORE

routes = AccessRoutes()


class WorstShape(Struct, frozen=True, kw_only=True):
    """The incident of a release that is the most severe, then the one with most events in it."""

    id: str
    title: str
    severity: str
    count: int


class ReleaseShape(Struct, frozen=True, kw_only=True):
    """A release of a service."""

    service: str
    release: str
    first_seen_at: datetime
    last_seen_at: datetime
    count: int
    new_incidents: int
    regressed: int
    worse: int | None
    """Incidents of the newest release that get worse; null of an older one."""
    ended: int | None
    """Incidents seen while the release before ran, and not since; null for a service's first."""
    per_hour_before: float | None
    """Events of the service an hour, in the day before; null where that is not known."""
    per_hour_after: float | None
    is_worse: bool
    """At least twice as many an hour after as before, and not a few in all."""
    worst: WorstShape | None


class ReleaseList(Struct, frozen=True, kw_only=True):
    """A page of releases."""

    releases: tuple[ReleaseShape, ...]
    counted_since: datetime | None
    next_cursor: str | None


def services_wanted(parameters: Parameters) -> tuple[str, ...]:
    """The services whose releases are asked for; none: all."""
    return parameters.texts("service")


@routes.get(f"{API_PREFIX}/releases", access=AccessScope.READ)
@describe(reads=paged(services_wanted), answers=ReleaseList)
async def show_releases(request: web.Request, asked: Paged[tuple[str, ...]]) -> web.Response:
    """Releases of services, the newest first: their events, what began, came back, ended, gets worse."""
    store = request.app[STORE]
    with cursor_errors():
        page = await list_releases(store, services=asked.wanted, limit=asked.limit, cursor=asked.cursor)
    effects = await read_effects(store, page.rows, now=request.app[CLOCK]())
    rows = tuple(_release_shape(one, effects[one.key]) for one in page.rows)
    since = await read_counted_since(store)
    return page_answer(request, ReleaseList(releases=rows, counted_since=since, next_cursor=page.next_cursor))


def _release_shape(one: ReleaseTotal, effect: ReleaseEffect) -> ReleaseShape:
    return ReleaseShape(
        service=one.service,
        release=one.release,
        first_seen_at=one.first_seen_at,
        last_seen_at=one.last_seen_at,
        count=one.count,
        new_incidents=one.new_incidents,
        regressed=one.regressed,
        worse=effect.worse,
        ended=effect.ended,
        per_hour_before=effect.rates.before,
        per_hour_after=effect.rates.after,
        is_worse=effect.rates.is_worse,
        worst=None if effect.worst is None else _worst_shape(effect.worst),
    )


def _worst_shape(worst: WorstIncident) -> WorstShape:
    return WorstShape(
        id=incident_name(worst.id), title=worst.title, severity=worst.severity.value, count=worst.count
    )
