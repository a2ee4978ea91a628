"""The digest in plain text: a day's or a week's incidents, the most frequent first, bounded in length."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Final

from msgspec import Struct

from faultwire_consumer.domain.notification import NotificationReason
from faultwire_consumer.notify.notification import Notification, NotifiedIncident, SilencedPart
from faultwire_consumer.notify.plain_text import format_time, one_line

INCIDENTS_SHOWN: Final = 20
"""Incidents shown of each kind: new, regressed, continued, silenced and muted."""
SERVICES_SHOWN: Final = 20
TITLE_CHARACTERS: Final = 120
NAME_CHARACTERS: Final = 40
COMMENT_CHARACTERS: Final = 100
LINK_CHARACTERS: Final = 200
DIGEST_CHARACTERS: Final = 32_000
"""Maximum length of a digest, which follows from the bounds above."""

_DAY: Final = timedelta(days=1)
_WEEK: Final = timedelta(days=7)
# Changes to and from summer time make days of 23 and 25 hours.
_HOUR: Final = timedelta(hours=1)


class Tally(Struct, frozen=True, kw_only=True):
    """Totals of some incidents."""

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
    """Return the events since the last digest, or all of them if those were not counted."""
    return incident.count if incident.recent_count is None else incident.recent_count


def digest_subject(notification: Notification) -> str:
    """Summarise the digest in one line."""
    return f"{_period_of(notification)}: {_sum_of(tally_of(notification.incidents))}"


def digest_text(notification: Notification) -> str:
    """Write the whole digest, at most `DIGEST_CHARACTERS` long."""
    incidents = notification.incidents
    lines = [f"{digest_subject(notification)}."]
    if notification.since is not None and notification.until is not None:
        lines.append(f"From {format_time(notification.since)} to {format_time(notification.until)}.")
    if incidents:
        lines.extend(("", *_service_lines(incidents)))
    lines.extend(_silence_lines(notification.silences))
    loud = [each for each in incidents if each.muted is None and not each.silenced]
    for heading, reason in (("New", NotificationReason.NEW), ("Regressed", NotificationReason.REGRESSED)):
        lines.extend(_section(notification, heading, [each for each in loud if each.reason is reason]))
    shown = (NotificationReason.NEW, NotificationReason.REGRESSED)
    lines.extend(_section(notification, "Went on", [each for each in loud if each.reason not in shown]))
    silenced = [each for each in incidents if each.muted is None and each.silenced]
    lines.extend(_section(notification, "Silenced", silenced))
    lines.extend(_section(notification, "Muted", [each for each in incidents if each.muted is not None]))
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


def _silence_lines(silences: Sequence[SilencedPart]) -> Iterator[str]:
    if not silences:
        return
    total = sum(each.notifications for each in silences)
    yield ""
    yield f"Silences held back {_counted(total, 'notification')}:"
    for each in silences:
        why, who = one_line(each.comment, COMMENT_CHARACTERS), one_line(each.author, NAME_CHARACTERS)
        held = f"{each.notifications:,} of {_counted(each.incidents, 'incident')}"
        yield f"  silence {each.silence_id} ({why}, by {who}): {held}"


def _section(
    notification: Notification, heading: str, incidents: Sequence[NotifiedIncident]
) -> Iterator[str]:
    if not incidents:
        return
    ranked = sorted(incidents, key=lambda each: (-events_of(each), -each.severity.rank, each.id))
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
    if incident.muted is not None:
        held_back = _counted(incident.held_back, "notification")
        yield f"           muted {one_line(incident.muted, NAME_CHARACTERS)}; {held_back} held back"
    else:
        hidden = ((incident.silenced, "silences"), (incident.held_back, "open incidents that explain it"))
        for number, by in hidden:
            if number:
                yield f"           {_counted(number, 'notification')} held back by {by}"
    link = notification.link_of(incident)
    if link:
        yield f"           {one_line(link, LINK_CHARACTERS)}"


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
