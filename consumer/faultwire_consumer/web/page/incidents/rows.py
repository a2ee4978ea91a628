"""Rows of the list: what an incident says of itself in two lines, ready to be shown."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from faultwire_consumer.domain.figures.urgency import RECENT, WORSE_PERCENT, is_new
from faultwire_consumer.domain.incident import Status
from faultwire_consumer.domain.incident_name import incident_name
from faultwire_consumer.store.events.figures.beside import HourCounts
from faultwire_consumer.store.events.incidents import Incident
from faultwire_consumer.web.page.incidents.search import Search

STEPS: Final = 24
HEIGHT: Final = 24
STEP_WIDTH: Final = 4
_WIDTH: Final = STEP_WIDTH - 1
_LEAST: Final = 2
"""The height of an hour that had any: it never looks empty."""
_HOUR: Final = timedelta(hours=1)
_RECENT_STEPS: Final = RECENT // _HOUR


class Flag(Struct, frozen=True):
    """A few words about an incident, and the kind that gives them their colour."""

    kind: str
    text: str


class Bars(Struct, frozen=True, kw_only=True):
    """The last 24 hours as two shapes, of the hours before and of the present; empty where nothing was."""

    before: str
    recent: str
    total: int
    label: str


class Beside(Struct, frozen=True, kw_only=True):
    """Figures beside the incidents of a page, each by the incident's number."""

    bars: Mapping[int, Bars]
    origins: Mapping[int, str]
    regressions: Mapping[int, str]


class IncidentRow(Struct, frozen=True, kw_only=True):
    """An incident in the list."""

    id: str
    path: str
    severity: str
    title: str
    service: str
    culprit: str
    flags: tuple[Flag, ...]
    bars: Bars
    count: int
    users: str
    users_label: str
    began_at: datetime
    origin: str
    last_seen_at: datetime
    assignee: str | None
    is_done: bool


def incident_row(incident: Incident, beside: Beside, *, search: Search, now: datetime) -> IncidentRow:
    """Return an incident as a row.

    Args:
        incident: the incident.
        beside: figures of all incidents of the page.
        search: the list, which the row's link leads back to.
        now: the time.
    """
    name = incident_name(incident.id)
    return IncidentRow(
        id=name,
        path=search.path_to(f"/incidents/{name}"),
        severity=incident.severity.value,
        title=incident.title,
        service=incident.service,
        culprit=incident.culprit,
        flags=flags_of(incident, beside.regressions.get(incident.id), now=now),
        bars=beside.bars[incident.id],
        count=incident.count,
        users=_users(incident),
        users_label=_users_label(incident),
        began_at=incident.first_seen_at,
        origin=beside.origins.get(incident.id, ""),
        last_seen_at=incident.last_seen_at,
        assignee=incident.assignee,
        is_done=incident.status is Status.RESOLVED,
    )


def flags_of(incident: Incident, regressed_in: str | None, *, now: datetime) -> tuple[Flag, ...]:
    """Return what is to be known of an incident at a glance; of one that is only open, nothing."""
    is_resolved = incident.status is Status.RESOLVED
    back = f"regressed in {regressed_in}" if regressed_in else "regressed"
    hours = RECENT // _HOUR
    told = (
        (is_resolved, Flag("done", "resolved")),
        (not is_resolved and incident.episode > 1, Flag("back", back)),
        (
            not is_resolved and incident.growth >= WORSE_PERCENT,
            Flag("worse", f"\u00d7{round(incident.growth / 100):,} in {hours} h"),
        ),
        (not is_resolved and is_new(incident.first_seen_at, now=now), Flag("new", "new")),
        (incident.status is Status.ACKNOWLEDGED, Flag("held", "acknowledged")),
        (incident.assignee is not None, Flag("held", f"{incident.assignee} has it")),
        (incident.muted is not None, Flag("muted", f"muted {incident.muted}")),
    )
    return tuple(flag for holds, flag in told if holds)


def bars_of(counts: HourCounts, *, since: datetime) -> Bars:
    """Return the events of the hours from ``since`` on as bars."""
    steps = {
        place: count for hour, count in counts.items() if 0 <= (place := (hour - since) // _HOUR) < STEPS
    }
    most, total = max(steps.values(), default=0), sum(steps.values())
    first_recent = STEPS - _RECENT_STEPS
    label = f"{total:,} {'event' if total == 1 else 'events'} in {STEPS} hours"
    return Bars(
        before=_shape({place: count for place, count in steps.items() if place < first_recent}, most),
        recent=_shape({place: count for place, count in steps.items() if place >= first_recent}, most),
        total=total,
        label=f"{label}, at most {most:,} in one" if total else label,
    )


def _shape(steps: Mapping[int, int], most: int) -> str:
    """Return bars as the data of one path: a page has fifty rows of up to 24 bars."""
    bars = []
    for place, count in sorted(steps.items()):
        height = max(_LEAST, round(HEIGHT * count / most))
        bars.append(f"M{place * STEP_WIDTH} {HEIGHT}v-{height}h{_WIDTH}v{height}z")
    return "".join(bars)


def _users(incident: Incident) -> str:
    if not incident.users:
        return "\u2013"
    return f"{'' if incident.users_exact else '≈'}{incident.users:,}"


def _users_label(incident: Incident) -> str:
    if not incident.users:
        return "no user is known"
    about = "" if incident.users_exact else "about "
    return f"{about}{incident.users:,} {'user' if incident.users == 1 else 'users'}"


def rows_of(
    incidents: Sequence[Incident], beside: Beside, *, search: Search, now: datetime
) -> tuple[IncidentRow, ...]:
    """Return the rows of a page."""
    return tuple(incident_row(one, beside, search=search, now=now) for one in incidents)
