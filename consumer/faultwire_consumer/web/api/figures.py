"""Figures under ``/api/v1``: facets of lists, totals of events, trends of incidents, and releases."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from aiohttp import web
from msgspec import Struct

from faultwire_consumer.actions.incident import IncidentNotFoundError, load_incident
from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.domain.incident_name import incident_name
from faultwire_consumer.domain.query.query import Query
from faultwire_consumer.store.events.figures.facets import Facets, read_facets
from faultwire_consumer.store.events.figures.reading import (
    EventStats,
    ReleaseCount,
    read_counted_since,
    read_figures,
    read_stats,
)
from faultwire_consumer.store.events.figures.releases import (
    ReleaseEffect,
    ReleaseTotal,
    WorstIncident,
    list_releases,
    read_effects,
)
from faultwire_consumer.store.events.incidents import count_by_hour
from faultwire_consumer.web.access.declared import AccessRoutes
from faultwire_consumer.web.api import incident_shape
from faultwire_consumer.web.openapi.operation import describe
from faultwire_consumer.web.parameter import Paged, Parameters, incident_query, paged
from faultwire_consumer.web.request import API_PREFIX, cursor_errors, incident_id_of, json_answer, page_answer
from faultwire_consumer.web.state import CLOCK, STORE
from faultwire_shared.taxonomy import FieldError, ValidationError

STATS_DAYS: Final = 31
"""The longest time that is counted at once."""
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
_SPANS: Final = {"24h": (24, 1), "7d": (7 * 24, 6), "30d": (30 * 24, 24)}
"""Hours that a trend looks back, and hours of one of its steps."""

routes = AccessRoutes()


class TrendStep(Struct, frozen=True):
    """A part of a trend: when it begins, and the events that occurred in it."""

    at: datetime
    count: int


class TrendRelease(Struct, frozen=True):
    """A release that was seen for the first time within a trend."""

    release: str
    at: datetime


class TrendShape(Struct, frozen=True):
    """Events of an incident in steps of an hour, six hours and a day, and the releases that began."""

    id: str
    hours: tuple[TrendStep, ...]
    week: tuple[TrendStep, ...]
    days: tuple[TrendStep, ...]
    releases: tuple[TrendRelease, ...]


class HourCount(Struct, frozen=True):
    """An hour and the events that occurred in it."""

    hour: datetime
    count: int


class ServiceCount(Struct, frozen=True):
    """A service and its events."""

    service: str
    count: int


class StatsShape(Struct, frozen=True, kw_only=True):
    """Events within a time."""

    since: datetime
    until: datetime
    counted_since: datetime | None
    count: int
    severities: Mapping[str, int]
    services: tuple[ServiceCount, ...]
    other_services: int
    hours: tuple[HourCount, ...]


@routes.get(f"{API_PREFIX}/incidents/facets", access=AccessScope.READ)
@describe(reads=incident_query, answers=Facets)
async def show_facets(request: web.Request, query: Query) -> web.Response:
    """Values by which the incidents of a query can be narrowed, each with its number of incidents."""
    return json_answer(await read_facets(request.app[STORE], query, now=request.app[CLOCK]()))


@routes.get(f"{API_PREFIX}/incidents/{{id}}/trend", access=AccessScope.READ)
@describe(answers=TrendShape, raises=[IncidentNotFoundError])
async def show_trend(request: web.Request) -> web.Response:
    """The events of an incident by the hour, by six hours and by the day, and the releases that began."""
    incident_id, store, now = incident_id_of(request), request.app[STORE], request.app[CLOCK]()
    incident = await load_incident(store, incident_id)
    since = _begin(now, 30 * 24, 24)
    counts = await count_by_hour(store, incident.id, since=since)
    figures = await read_figures(store, incident.id)
    steps = {name: _steps(counts, now, *span) for name, span in _SPANS.items()}
    return json_answer(
        TrendShape(
            incident_shape.incident_shape(incident).id,
            hours=steps["24h"],
            week=steps["7d"],
            days=steps["30d"],
            releases=_marks(figures.releases, since),
        )
    )


def _steps(counts: Mapping[datetime, int], now: datetime, hours: int, step: int) -> tuple[TrendStep, ...]:
    begin = _begin(now, hours, step)
    starts = [begin + offset * _HOUR for offset in range(0, hours, step)]
    return tuple(
        TrendStep(start, sum(counts.get(start + offset * _HOUR, 0) for offset in range(step)))
        for start in starts
    )


def _begin(now: datetime, hours: int, step: int) -> datetime:
    """The beginning of a trend whose last step runs now; steps begin as hours of the day do."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    return hour - (hour.hour % step) * _HOUR - (hours - step) * _HOUR


def _marks(releases: tuple[ReleaseCount, ...], since: datetime) -> tuple[TrendRelease, ...]:
    return tuple(
        TrendRelease(one.release, one.first_seen_at) for one in releases if one.first_seen_at >= since
    )


def _hour_of(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


class StatsWanted(Struct, frozen=True):
    """Whole hours whose events are counted, and of which services; none: all."""

    since: datetime
    until: datetime
    services: tuple[str, ...]


def stats_wanted(parameters: Parameters) -> StatsWanted:
    """The hours and services that are asked for: the last 24 hours unless others are."""
    since = (
        parameters.moment("since", "The first hour; 24 hours ago unless given")
        or parameters.now - _DAY + _HOUR
    )
    until = parameters.moment("until", "The last hour; now unless given") or parameters.now
    return StatsWanted(_hour_of(since), _hour_of(until) + _HOUR, parameters.texts("service"))


@routes.get(f"{API_PREFIX}/stats", access=AccessScope.READ)
@describe(reads=stats_wanted, answers=StatsShape)
async def show_stats(request: web.Request, wanted: StatsWanted) -> web.Response:
    """Events within a time by hour, service and severity: the last 24 hours unless asked otherwise."""
    since, until = wanted.since, wanted.until
    if not timedelta() < until - since <= timedelta(days=STATS_DAYS):
        raise ValidationError(errors=[FieldError("since", f"before until, and at most {STATS_DAYS} days")])
    stats = await read_stats(request.app[STORE], since=since, until=until, services=wanted.services)
    return json_answer(_stats_shape(stats, since, until))


def _stats_shape(stats: EventStats, since: datetime, until: datetime) -> StatsShape:
    hours = int((until - since) / _HOUR)
    starts = [since + offset * _HOUR for offset in range(hours)]
    return StatsShape(
        since=since,
        until=until,
        counted_since=stats.counted_since,
        count=stats.total,
        severities={
            severity.value: count for severity, count in sorted(stats.severities.items(), reverse=True)
        },
        services=tuple(ServiceCount(one.value, one.count) for one in stats.services),
        other_services=stats.other_services,
        hours=tuple(HourCount(start, stats.hours.get(start, 0)) for start in starts),
    )


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
