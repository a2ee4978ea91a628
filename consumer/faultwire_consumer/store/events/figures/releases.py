"""Releases as operators read them: what each brought, ended and made worse, and its worst incident."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import CTE, Integer, Row, Select, Text, and_, case, column, func, select, tuple_
from sqlalchemy import values as value_rows

from faultwire_consumer.domain.figures.release_rates import ReleaseRates, ReleaseSpan, rates_of, span_of
from faultwire_consumer.domain.figures.urgency import WORSE_PERCENT
from faultwire_consumer.domain.figures.value_count import RELEASE
from faultwire_consumer.domain.incident import Status
from faultwire_consumer.store.contract.paging import ListCursor, Page, cut, decode_cursor, older_than
from faultwire_consumer.store.contract.row import values_of
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.events.condition import NEVER_COUNTED, hour_of
from faultwire_consumer.store.schema.events import UtcDateTime, fingerprints, incidents, sightings
from faultwire_consumer.store.schema.figures import hourly_totals, release_totals, value_counts
from faultwire_shared.event import ErrorSeverity

SIGHTINGS_READ: Final = 10_000
"""Sights of incidents in the releases of a page among which the worst is looked for."""
_LISTING: Final = "releases"
_BETWEEN: Final = "\n"


class ReleaseTotal(Struct, frozen=True, kw_only=True):
    """A release of a service, with what came of it."""

    service: str
    release: str
    first_seen_at: datetime
    last_seen_at: datetime
    count: int
    new_incidents: int
    regressed: int
    previous_at: datetime | None
    """When the service's release before it began."""
    next_at: datetime | None
    """When the one after it began; None for the newest."""
    key: str
    """Tells it from others that began at the same time."""


class WorstIncident(Struct, frozen=True):
    """The incident of a release that is the most severe, then the one with most events in it."""

    id: int
    title: str
    severity: ErrorSeverity
    count: int
    """Events in the release."""


class ReleaseEffect(Struct, frozen=True, kw_only=True):
    """All that a release did to its service, as far as can be told."""

    ended: int | None
    """Incidents seen while the release before ran, and not since this one began; None for the first."""
    worse: int | None
    """Unresolved incidents of the newest release that get worse; None of an older one."""
    rates: ReleaseRates
    worst: WorstIncident | None


async def list_releases(
    store: Store, *, services: Collection[str], limit: int, cursor: str | None = None
) -> Page[ReleaseTotal]:
    """List releases of services, the last to be seen for the first time first.

    Raises:
        BadCursorError: the cursor does not belong to this list.
        StoreUnavailableError: the database cannot be used now.
    """
    position = decode_cursor(_LISTING, cursor, str) if cursor is not None else None
    rows = await store.read(select_releases(services, position, limit + 1))
    found = [ReleaseTotal(**values_of(row)) for row in rows]
    return cut(found, limit=limit, listing=_LISTING, moment="first_seen_at", key="key")


def select_releases(services: Collection[str], position: ListCursor | None, limit: int) -> Select[Any]:
    """Select a page of releases, each with when its neighbours began."""
    table = release_totals.c
    key = table.service + _BETWEEN + table.release
    own = ("key", "previous_at", "next_at")
    names = [name for name in ReleaseTotal.__struct_fields__ if name not in own]
    statement = select(
        *(table[name] for name in names),
        _neighbour(func.max, is_before=True).label("previous_at"),
        _neighbour(func.min, is_before=False).label("next_at"),
        key.label("key"),
    )
    if services:
        statement = statement.where(table.service.in_(sorted(services)))
    if position is not None:
        after = older_than(position, table.first_seen_at, key)
        statement = statement.where(table.first_seen_at <= position.moment, after)
    return statement.order_by(table.first_seen_at.desc(), key.desc()).limit(limit)


def _neighbour(pick: Any, *, is_before: bool) -> Any:
    """Return when the service's release before, or after, began, by the index on both."""
    other, table = release_totals.alias("other"), release_totals.c
    began = other.c.first_seen_at
    beside = began < table.first_seen_at if is_before else began > table.first_seen_at
    return (
        select(pick(began, type_=table.first_seen_at.type))
        .where(other.c.service == table.service, beside)
        .correlate(release_totals)
        .scalar_subquery()
    )


async def read_effects(
    store: Store, releases: Sequence[ReleaseTotal], *, now: datetime
) -> Mapping[str, ReleaseEffect]:
    """Read what each release of a page did, by its key.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    if not releases:
        return {}
    spans = [span_of(one.first_seen_at, next_at=one.next_at, now=now) for one in releases]
    counted = await store.read(select_rates(releases, spans))
    later = [(number, one) for number, one in enumerate(releases) if one.previous_at is not None]
    ended = await store.read(select_ended(later)) if later else ()
    seen = await store.read(select_worst(store.name, releases))
    first = await store.read(select(func.min(hourly_totals.c.hour, type_=UtcDateTime()).label("hour")))
    by_number = {row.number: row for row in counted}
    ended_of = {row.number: row.ended for row in ended}
    worst_of = {(row.service, row.release): row for row in seen}
    effects = {}
    for number, (one, span) in enumerate(zip(releases, spans, strict=True)):
        found = by_number.get(number)
        before, after = (0, 0) if found is None else (int(found.before), int(found.after))
        worst = worst_of.get((one.service, one.release))
        effects[one.key] = ReleaseEffect(
            ended=None if one.previous_at is None else ended_of.get(number, 0),
            worse=None if one.next_at is not None else int(worst.worse) if worst is not None else 0,
            rates=rates_of(before, after, span, counted_from=first[0].hour, now=now),
            worst=_worst(worst),
        )
    return effects


def _worst(row: Row[Any] | None) -> WorstIncident | None:
    if row is None:
        return None
    return WorstIncident(row.id, row.title, ErrorSeverity.from_rank(row.severity), int(row.total))


def select_rates(releases: Sequence[ReleaseTotal], spans: Sequence[ReleaseSpan]) -> Select[Any]:
    """Select the events of each release's service in the hours before it began and after."""
    given = _numbered(
        "spans",
        {"number": Integer(), "service": Text(), "since": UtcDateTime(), "began": UtcDateTime()}
        | {"until": UtcDateTime()},
        [
            (number, one.service, span.before_from, span.began, span.until)
            for number, (one, span) in enumerate(zip(releases, spans, strict=True))
        ],
    )
    before = _events_between(given, given.c.since, given.c.began)
    after = _events_between(given, given.c.began, given.c.until)
    return select(given.c.number, before.label("before"), after.label("after"))


def _events_between(given: CTE, since: Any, until: Any) -> Any:
    # A query for each row: joined, PostgreSQL takes a range for so much that it reads every hour there is.
    table = hourly_totals.c
    return (
        select(func.coalesce(func.sum(table.count), 0))
        .where(table.service == given.c.service, table.hour >= since, table.hour < until)
        .correlate(given)
        .scalar_subquery()
    )


def select_ended(releases: Sequence[tuple[int, ReleaseTotal]]) -> Select[Any]:
    """Select, by their numbers, how many incidents were last seen while the release before each ran.

    Args:
        releases: such as have one before them; at least one.
    """
    table, when = incidents.c, UtcDateTime()
    given = _numbered(
        "spans",
        {"number": Integer(), "service": Text(), "since": when, "until": when}
        | {"since_hour": when, "until_hour": when},
        [
            (number, one.service, since, one.first_seen_at, hour_of(since), hour_of(one.first_seen_at))
            for number, one in releases
            if (since := one.previous_at) is not None
        ],
    )
    ended = (
        select(func.count())
        .select_from(incidents)
        .where(
            table.service == given.c.service,
            table.last_seen_hour >= given.c.since_hour,  # later than that of what was never counted
            table.last_seen_hour <= given.c.until_hour,
            table.last_seen_at >= given.c.since,
            table.last_seen_at < given.c.until,
        )
        .correlate(given)
        .scalar_subquery()
    )
    return select(given.c.number, ended.label("ended"))


def select_worst(database: str, releases: Sequence[ReleaseTotal]) -> Select[Any]:
    """Select the worst incident of each release, and how many of its incidents get worse."""
    pairs = sorted({(one.service, one.release) for one in releases})
    names = sorted({release for _, release in pairs})
    table, counted = incidents.c, value_counts.c
    sights = (
        select(sightings.c.fingerprint, sightings.c.release)
        .distinct()
        .where(sightings.c.release.in_(names))
        .limit(SIGHTINGS_READ)
        .subquery("sights")
    )
    add_up = func.total if database == "sqlite" else func.sum
    seen = (
        select(
            *(table.service, sights.c.release, table.id, table.title, table.severity),
            case(
                (and_(table.growth >= WORSE_PERCENT, table.status != Status.RESOLVED.value), 1), else_=0
            ).label("is_worse"),
            func.coalesce(add_up(counted.count), 0).label("total"),
        )
        .select_from(
            sights.join(fingerprints, fingerprints.c.fingerprint == sights.c.fingerprint)
            .join(incidents, table.id == fingerprints.c.incident_id)
            .outerjoin(
                value_counts,
                and_(
                    counted.fingerprint == sights.c.fingerprint,
                    counted.key == RELEASE,
                    counted.value == sights.c.release,
                ),
            )
        )
        .where(tuple_(table.service, sights.c.release).in_(pairs), table.last_seen_hour > NEVER_COUNTED)
        .group_by(table.service, sights.c.release, table.id)
        .subquery("seen")
    )
    of_release = (seen.c.service, seen.c.release)
    order = (seen.c.severity.desc(), seen.c.total.desc(), seen.c.id.desc())
    ranked = select(
        seen,
        func.sum(seen.c.is_worse).over(partition_by=of_release).label("worse"),
        func.row_number().over(partition_by=of_release, order_by=order).label("place"),
    ).subquery("ranked")
    return select(ranked).where(ranked.c.place == 1)


def _numbered(name: str, columns: Mapping[str, Any], rows: Sequence[tuple[Any, ...]]) -> CTE:
    """Return given rows, at least one, as a table."""
    named = (column(one, kind) for one, kind in columns.items())
    return value_rows(*named, name=name).data(list(rows)).cte(name)
