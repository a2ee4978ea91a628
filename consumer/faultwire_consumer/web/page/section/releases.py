"""Releases: what each brought, ended and brought back, in numbers that lead to the incidents."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from aiohttp import web
from msgspec import Struct

from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.domain.query.query import Key, Query, Term, Trait, any_of
from faultwire_consumer.store.events.figures.reading import read_counted_since
from faultwire_consumer.store.events.figures.releases import (
    ReleaseEffect,
    ReleaseTotal,
    WorstIncident,
    list_releases,
    read_effects,
)
from faultwire_consumer.web.access.declared import AccessRoutes
from faultwire_consumer.web.page.section.query_link import list_path, releases_path
from faultwire_consumer.web.page.shell import show
from faultwire_consumer.web.request import cursor_errors, read_parameters
from faultwire_consumer.web.state import CLOCK, STORE

ROWS: Final = 50

routes = AccessRoutes()


class Count(Struct, frozen=True):
    """A number of incidents, and where they are listed; None for the number where there is nothing to say."""

    number: int | None
    path: str


class ReleaseRow(Struct, frozen=True, kw_only=True):
    """A release of a service as a line."""

    service: str
    service_path: str | None
    """Where its releases alone are listed; None of a name that cannot be asked for."""
    release: str
    first_seen_at: datetime
    is_newest: bool
    """Of its service."""
    all: Count
    """Every incident that was seen in it; the number is of events."""
    new: Count
    back: Count
    worse: Count
    ended: Count
    before: str
    """Events an hour, in words."""
    after: str
    is_worse: bool
    worst: WorstIncident | None


@routes.get("/releases", access=AccessScope.READ)
async def show_releases(request: web.Request) -> web.Response:
    """A line for each release of each service, the newest first."""
    parameters = read_parameters(request)
    services, cursor = parameters.texts("service"), parameters.cursor()
    parameters.finish()
    store = request.app[STORE]
    with cursor_errors():
        page = await list_releases(store, services=services, limit=ROWS, cursor=cursor)
    effects = await read_effects(store, page.rows, now=request.app[CLOCK]())
    following = request.rel_url.update_query(cursor=page.next_cursor) if page.next_cursor else None
    return await show(
        request,
        "releases/page.html",
        rows=release_rows([(one, effects[one.key]) for one in page.rows]),
        services=services,
        counted_since=await read_counted_since(store),
        following=following,
        first=request.rel_url.without_query_params("cursor") if cursor is not None else None,
    )


def release_rows(found: Sequence[tuple[ReleaseTotal, ReleaseEffect]]) -> tuple[ReleaseRow, ...]:
    """Return releases as lines."""
    return tuple(_row(one, effect) for one, effect in found)


def _row(one: ReleaseTotal, effect: ReleaseEffect) -> ReleaseRow:
    service = any_of(Key.SERVICE, [one.service])
    seen = service + any_of(Key.RELEASE, [one.release])
    return ReleaseRow(
        service=one.service,
        service_path=releases_path(one.service),
        release=one.release,
        first_seen_at=one.first_seen_at,
        is_newest=one.next_at is None,
        all=Count(one.count, list_path(seen)),
        new=Count(one.new_incidents, list_path(service + any_of(Key.FIRST_RELEASE, [one.release]))),
        back=Count(one.regressed, list_path(service + any_of(Key.REGRESSED_RELEASE, [one.release]))),
        worse=Count(effect.worse, list_path(seen + any_of(Key.IS, [Trait.WORSE]))),
        ended=Count(effect.ended, list_path(_ended(service, one))),
        before=rate_words(effect.rates.before),
        after=rate_words(effect.rates.after),
        is_worse=effect.rates.is_worse,
        worst=effect.worst,
    )


def _ended(service: Query, one: ReleaseTotal) -> Query:
    """Return the query of what was last seen while the release before ran."""
    since = () if one.previous_at is None else (Term(Key.LAST, (one.previous_at,)),)
    return service + Query((*since, Term(Key.LAST, (one.first_seen_at,), negated=True)))


def rate_words(rate: float | None) -> str:
    """Return events an hour: with one digit where they are few, and "?" where it is not known."""
    if rate is None:
        return "?"
    if rate and rate < 0.05:
        return "<0.1"
    return f"{rate:,.1f}".removesuffix(".0") if rate < 100 else f"{rate:,.0f}"
