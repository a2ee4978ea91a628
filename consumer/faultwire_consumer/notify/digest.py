"""The digest in plain text: what a day or a week brought, the most frequent first, bounded in length."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Final

from msgspec import Struct

from faultwire_consumer.domain.notification import NotificationReason
from faultwire_consumer.notify.escape import moment, one_line
from faultwire_consumer.notify.notification import Notification, NotifiedIncident

INCIDENTS_SHOWN: Final = 20
"""Of each kind: new, regressed, and those that went on."""
SERVICES_SHOWN: Final = 20
TITLE_CHARACTERS: Final = 120
NAME_CHARACTERS: Final = 40
LINK_CHARACTERS: Final = 200
DIGEST_CHARACTERS: Final = 32_000
"""No digest is longer; it follows from the bounds above."""

_DAY: Final = timedelta(days=1)
_WEEK: Final = timedelta(days=7)
# A zone's summer time makes a day of 23 or 25 hours.
_HOUR: Final = timedelta(hours=1)


class Tally(Struct, frozen=True, kw_only=True):
    """What some incidents come to."""

    incidents: int
    events: int
    new: int
    regressed: int


def tally_of(incidents: Sequence[NotifiedIncident]) -> Tally:
    """Count the incidents and their events since the last digest."""
    reasons = [incident.reason for incident in incidents]
    return Tally(
        incidents=len(incidents),
        events=sum(map(events_of, incidents)),
        new=reasons.count(NotificationReason.NEW),
        regressed=reasons.count(NotificationReason.REGRESSED),
    )


def events_of(incident: NotifiedIncident) -> int:
    """Its events since the last digest; where nobody counted those, all of them."""
    return incident.count if incident.recent_count is None else incident.recent_count


def digest_subject(notification: Notification) -> str:
    """What it is and what it comes to, in one line."""
    return f"{_period_of(notification)}: {_sum_of(tally_of(notification.incidents))}"


def digest_text(notification: Notification) -> str:
    """The whole digest, at most `DIGEST_CHARACTERS` long."""
    incidents = notification.incidents
    lines = [f"{digest_subject(notification)}."]
    if notification.since is not None and notification.until is not None:
        lines.append(f"From {moment(notification.since)} to {moment(notification.until)}.")
    if incidents:
        lines.extend(("", *_service_lines(incidents)))
    for heading, reason in (("New", NotificationReason.NEW), ("Regressed", NotificationReason.REGRESSED)):
        lines.extend(_section(notification, heading, [one for one in incidents if one.reason is reason]))
    told = (NotificationReason.NEW, NotificationReason.REGRESSED)
    lines.extend(_section(notification, "Went on", [one for one in incidents if one.reason not in told]))
    lines.extend(("", f"Rule {one_line(notification.rule, NAME_CHARACTERS)}"))
    return "\n".join(lines) + "\n"


def _period_of(notification: Notification) -> str:
    if notification.since is None or notification.until is None:
        return "Digest"
    length = notification.until - notification.since
    for name, usual in (("Daily", _DAY), ("Weekly", _WEEK)):
        if abs(length - usual) <= _HOUR:
            return f"{name} digest"
    return "Digest"


def _sum_of(tally: Tally) -> str:
    if not tally.incidents:
        return "no incidents"
    parts = [_counted(tally.incidents, "incident"), _counted(tally.events, "event")]
    parts.extend(f"{count:,} {what}" for count, what in _marks(tally))
    return ", ".join(parts)


def _marks(tally: Tally) -> Iterator[tuple[int, str]]:
    yield from ((n, what) for n, what in ((tally.new, "new"), (tally.regressed, "regressed")) if n)


def _service_lines(incidents: Sequence[NotifiedIncident]) -> Iterator[str]:
    by_service: dict[str, list[NotifiedIncident]] = defaultdict(list)
    for incident in incidents:
        by_service[incident.service].append(incident)
    tallies = {service: tally_of(those) for service, those in by_service.items()}
    ranked = sorted(tallies, key=lambda service: (-tallies[service].events, service))
    yield "By service:"
    for service in ranked[:SERVICES_SHOWN]:
        yield f"  {one_line(service, NAME_CHARACTERS)}: {_sum_of(tallies[service])}"
    rest = [incident for service in ranked[SERVICES_SHOWN:] for incident in by_service[service]]
    if rest:
        yield f"  {_counted(len(ranked) - SERVICES_SHOWN, 'more service')}: {_sum_of(tally_of(rest))}"


def _section(
    notification: Notification, heading: str, incidents: Sequence[NotifiedIncident]
) -> Iterator[str]:
    if not incidents:
        return
    ranked = sorted(incidents, key=lambda one: (-events_of(one), -one.severity.rank, one.id))
    yield ""
    yield f"{heading} ({len(incidents):,}):"
    for incident in ranked[:INCIDENTS_SHOWN]:
        yield from _incident_lines(notification, incident)
    rest = ranked[INCIDENTS_SHOWN:]
    if rest:
        yield f"  and {len(rest):,} more with {_counted(sum(map(events_of, rest)), 'event')}"


def _incident_lines(notification: Notification, incident: NotifiedIncident) -> Iterator[str]:
    where = one_line(incident.service, NAME_CHARACTERS)
    title = one_line(incident.title, TITLE_CHARACTERS)
    yield f"  {events_of(incident):>7,}  {incident.id}  {incident.severity}  {where}: {title}"
    link = notification.link_of(incident)
    if link:
        yield f"           {one_line(link, LINK_CHARACTERS)}"


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
