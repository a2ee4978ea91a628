"""The API's documents of incidents: what is promised to programs, field by field."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from faultwire_consumer.domain.incident_name import incident_name
from faultwire_consumer.domain.incident_terms import describe_mute
from faultwire_consumer.store.events.figures.reading import IncidentFigures, KeyCount, ReleaseCount
from faultwire_consumer.store.events.incidents import HistoryEntry, Incident, Names
from faultwire_consumer.web.searched import SearchBounds


class UsersShape(Struct, frozen=True):
    """The number of users who met an incident, and whether it is exact or an estimate."""

    count: int
    exact: bool


class IncidentShape(Struct, frozen=True, kw_only=True):
    """An incident in a list."""

    id: str
    service: str
    title: str
    culprit: str
    severity: str
    category: str
    code: str
    status: str
    count: int
    first_seen_at: datetime
    last_seen_at: datetime
    episode: int
    version: int
    """One more with each change; for ``version`` of a verb."""
    assignee: str | None
    muted: "MuteShape | None"
    resolved_in: "ResolvedShape | None"
    acknowledged_until: datetime | None
    link: str | None
    """The address of its issue in a tracker, where somebody linked it."""
    users: UsersShape
    urgency: int
    growth: float | None
    """The rate of the last two hours, divided by the mean of the 24 before; None if nothing can be said."""
    new: bool


class MuteShape(Struct, frozen=True, kw_only=True):
    """A mute, and what ends it."""

    since: datetime
    ends: str
    """In words, as in ``until 100 more within 1h``."""
    until: datetime | None
    count: int | None
    within_seconds: int | None
    next_release: bool
    after_release: str | None
    reason: str


class ResolvedShape(Struct, frozen=True, kw_only=True):
    """The release and environment that a resolve holds for, where it is bound to one."""

    release: str | None
    bound: str
    """``from``: that release and newer ones regress; ``after``: newer ones alone."""
    environment: str | None


class IncidentDetail(IncidentShape, frozen=True, kw_only=True):
    """One incident with all that is known of it."""

    resolved_at: datetime | None
    last_release: str | None
    counted_since: datetime | None
    """Since when users, releases and tags are counted; None if since the incident began."""
    environments: tuple[str, ...]
    more_environments: int
    releases: tuple[ReleaseCount, ...]
    more_releases: int
    merged: tuple[str, ...]
    """Incidents that were merged into it."""
    tags: tuple[KeyCount, ...]
    uncounted_tags: int
    trend: Mapping[str, tuple[int, ...]]
    """Events of each of the last 24 hours, the last of which runs."""
    history: tuple[HistoryEntry, ...]


class IncidentList(Struct, frozen=True, kw_only=True):
    """A page of incidents."""

    incidents: tuple[IncidentShape, ...]
    next_cursor: str | None
    searched: SearchBounds | None = None
    """The events that texts and values were looked for in; null where none were."""


def incident_shape(incident: Incident) -> IncidentShape:
    """An incident for a list."""
    return IncidentShape(**_incident_fields(incident))


def _figure_fields(incident: Incident) -> dict[str, Any]:
    return {
        "users": UsersShape(incident.users, incident.users_exact),
        "growth": incident.growth / 100 if incident.growth else None,
        "new": incident.is_new,
    }


def incident_detail(
    incident: Incident,
    *,
    environments: Names,
    figures: IncidentFigures,
    hours: tuple[int, ...],
    history: tuple[HistoryEntry, ...],
    merged: tuple[int, ...] = (),
) -> IncidentDetail:
    """One incident whole."""
    return IncidentDetail(
        **_incident_fields(incident),
        merged=tuple(map(incident_name, merged)),
        resolved_at=incident.resolved_at,
        last_release=incident.last_release,
        counted_since=figures.counted_since,
        environments=environments.names,
        more_environments=environments.more,
        releases=figures.releases,
        more_releases=figures.more_releases,
        tags=figures.tags,
        uncounted_tags=figures.uncounted_tags,
        trend={"24h": hours},
        history=history,
    )


def _incident_fields(incident: Incident) -> dict[str, Any]:
    terms = incident.terms
    mute, resolution = terms.mute, terms.resolution
    own = {
        name: getattr(incident, name) for name in IncidentShape.__struct_fields__ if hasattr(incident, name)
    }
    return (
        own
        | _figure_fields(incident)
        | {
            "id": incident_name(incident.id),
            "muted": None
            if mute is None
            else MuteShape(
                since=mute.at,
                ends=describe_mute(mute),
                until=mute.until,
                count=mute.count,
                within_seconds=mute.within_seconds,
                next_release=mute.next_release,
                after_release=mute.after_release,
                reason=mute.reason,
            ),
            "resolved_in": None
            if resolution is None
            else ResolvedShape(
                release=resolution.release, bound=resolution.bound.value, environment=resolution.environment
            ),
            "acknowledged_until": terms.acknowledged_until,
            "link": terms.link,
        }
    )
