"""Figures of the list, each read once for as long as it holds: pages are shown more often than they change.

What stands beside an incident holds until that has another event or another version, so it is never stale.
Facets and the counts above the list hold until any incident changes, or for moments.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Generic, TypeVar

from aiohttp import web
from msgspec import Struct

from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.events.figures.beside import (
    NO_HOURS,
    count_matches,
    read_hours_of,
    read_origins,
    read_regressions,
)
from faultwire_consumer.store.events.figures.facets import Facets, read_facets
from faultwire_consumer.store.events.figures.reading import read_hours
from faultwire_consumer.store.events.figures.releases import list_releases
from faultwire_consumer.store.events.incidents import Incident
from faultwire_consumer.web.page.chart import HOUR, Chart, draw_chart, first_step
from faultwire_consumer.web.page.incidents.rows import STEPS, Bars, Beside, bars_of
from faultwire_consumer.web.page.incidents.search import Search
from faultwire_consumer.web.page.incidents.tiles import COUNTED_MAX, Question, queries_of
from faultwire_shared.memo import Memo

V = TypeVar("V")

FACETED_MAX: Final = 1_000
"""Incidents among which the page's facets are counted."""
MARKS_MAX: Final = 6
"""Releases that are marked in the chart of all events: the last to begin."""
_FACETS_HOLD: Final = timedelta(seconds=30)
_GLANCE_HOLDS: Final = timedelta(seconds=10)
_QUERIES_MAX: Final = 64
_ROWS_MAX: Final = 2_000


class Glance(Struct, frozen=True, kw_only=True):
    """The answers above the list: counts of the questions, and the events of every hour."""

    counts: tuple[int, ...]
    chart: Chart


class Moment(Struct, frozen=True):
    """The time at which a figure is asked for, and the last change of any incident until then."""

    now: datetime
    last_change: int


class KeptFigure(Struct, Generic[V], frozen=True):
    """A figure, and when it was read."""

    moment: Moment
    figure: V


class ListFigures:
    """Figures that the list shows beside the incidents themselves."""

    def __init__(self) -> None:
        self._facets: Memo[Hashable, KeptFigure[Facets]] = Memo(_QUERIES_MAX)
        self._glances: Memo[Hashable, KeptFigure[Glance]] = Memo(_QUERIES_MAX)
        self._bars: Memo[Hashable, Bars] = Memo(_ROWS_MAX)
        self._origins: Memo[Hashable, str] = Memo(_ROWS_MAX)
        self._regressions: Memo[Hashable, str] = Memo(_ROWS_MAX)

    async def facets(self, store: Store, search: Search, at: Moment) -> Facets:
        """Return the facets of a query.

        Raises:
            StoreUnavailableError: the database cannot be used now.
        """

        async def read() -> Facets:
            return await read_facets(store, search.query, now=at.now, most=FACETED_MAX)

        return await _held(self._facets, search.text, read, at=at, most=_FACETS_HOLD)

    async def glance(self, store: Store, asked: Sequence[Question], at: Moment) -> Glance:
        """Return the answers to a reader's questions.

        Raises:
            StoreUnavailableError: the database cannot be used now.
        """
        key = tuple(one.text for one in asked)
        return await _held(
            self._glances, key, lambda: _read_glance(store, asked, at.now), at=at, most=_GLANCE_HOLDS
        )

    async def beside(self, store: Store, incidents: Sequence[Incident], *, now: datetime) -> Beside:
        """Return what stands beside the incidents of a page; what is not known is read at once for all.

        Raises:
            StoreUnavailableError: the database cannot be used now.
        """
        since = first_step(now, steps=STEPS)
        bars, origins, regressions = await asyncio.gather(
            self._read_bars(store, incidents, since),
            self._read_origins(store, incidents, since),
            self._read_regressions(store, [one for one in incidents if one.episode > 1]),
        )
        return Beside(bars=bars, origins=origins, regressions=regressions)

    async def _read_bars(
        self, store: Store, incidents: Sequence[Incident], since: datetime
    ) -> Mapping[int, Bars]:
        found = _known(self._bars, incidents, lambda one: _counted(one, since))
        unknown = [one for one in incidents if one.id not in found]
        hours = await read_hours_of(store, [one.id for one in unknown], since=since)
        for one in unknown:
            found[one.id] = self._bars[_counted(one, since)] = bars_of(
                hours.get(one.id, NO_HOURS), since=since
            )
        return found

    async def _read_origins(
        self, store: Store, incidents: Sequence[Incident], since: datetime
    ) -> Mapping[int, str]:
        # Without a release yet, an incident may have one with its next event.
        found = _known(self._origins, incidents, lambda one: _counted(one, since))
        found |= _known(self._origins, incidents, _version)
        unknown = [one for one in incidents if one.id not in found]
        origins = await read_origins(store, [one.id for one in unknown])
        for one in unknown:
            found[one.id] = origin = origins.get(one.id, "")
            self._origins[_version(one) if origin else _counted(one, since)] = origin
        return found

    async def _read_regressions(self, store: Store, incidents: Sequence[Incident]) -> Mapping[int, str]:
        found = _known(self._regressions, incidents, _version)
        unknown = [one for one in incidents if one.id not in found]
        releases = await read_regressions(store, [one.id for one in unknown])
        for one in unknown:
            found[one.id] = self._regressions[_version(one)] = releases.get(one.id, "")
        return found


FIGURES: Final = web.AppKey("list_figures", ListFigures)


def _known(
    memo: Memo[Hashable, V], incidents: Iterable[Incident], key_of: Callable[[Incident], Hashable]
) -> dict[int, V]:
    return {one.id: memo[key] for one in incidents if (key := key_of(one)) in memo}


def _version(incident: Incident) -> Hashable:
    return incident.id, incident.version


def _counted(incident: Incident, since: datetime) -> Hashable:
    return incident.id, incident.version, incident.count, since


async def _held(
    memo: Memo[Hashable, KeptFigure[V]],
    key: Hashable,
    read: Callable[[], Awaitable[V]],
    *,
    at: Moment,
    most: timedelta,
) -> V:
    """Return a figure that was read since the last change of any incident, and not too long ago."""
    held = memo.get(key)
    if held is not None and held.moment.last_change == at.last_change and at.now - held.moment.now < most:
        return held.figure
    figure = await read()
    memo[key] = KeptFigure(at, figure)
    return figure


async def _read_glance(store: Store, asked: Sequence[Question], now: datetime) -> Glance:
    since = first_step(now, steps=STEPS)
    counts, hours, releases = await asyncio.gather(
        count_matches(store, queries_of(asked), most=COUNTED_MAX, now=now),
        read_hours(store, since=since, until=since + STEPS * HOUR),
        list_releases(store, services=(), limit=MARKS_MAX),
    )
    marks = [(row.first_seen_at, f"{row.service} {row.release}") for row in reversed(releases.rows)]
    return Glance(counts=counts, chart=draw_chart(hours, now=now, bar=20, height=38, marks=marks))
