"""One incident whole as Markdown: its state, its newest trace, where and whom it met, its history."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from faultwire_consumer.domain.links.source import NO_SOURCE_LINKS, SourceLinks
from faultwire_consumer.domain.report.event import event_sections, parts_section
from faultwire_consumer.domain.report.layout import CHARACTERS, Section, assemble
from faultwire_consumer.domain.report.quoting import WARNING, address, came_back, span
from faultwire_shared.event import Event

_ENTRIES: Final = 20
_PLACES: Final = 20
_TAGS: Final = 15
_TAG_VALUES: Final = 5

Document = Mapping[str, Any]
"""An incident as the API gives it."""


def incident_report(
    incident: Document,
    *,
    event_id: str | None = None,
    event: Event | None = None,
    parts: Sequence[str] = (),
    sources: SourceLinks = NO_SOURCE_LINKS,
    most: int = CHARACTERS,
) -> str:
    """Return one incident as Markdown.

    Args:
        incident: the incident, as ``GET /api/v1/incidents/{id}`` gives it.
        event_id: the id of the event that it is shown with.
        event: that event; None where no event of it can be read.
        parts: the key parts of that event's fingerprint.
        sources: where the lines of its frames are to be read.
        most: the most characters.
    """
    head = [f"# {incident['id']}: {span(incident['title'])}", WARNING, incident_sentence(incident)]
    trace, *rest = event_sections(event, sources) if event is not None else (Section("Trace", ()),)
    shown = (f"Of event {span(event_id)}.", *trace.blocks) if trace.blocks else ()
    sections = (
        Section(trace.heading, shown),
        Section("Where", tuple(_where(incident))),
        Section("Releases, the first seen first", tuple(_releases(incident))),
        Section("Who", tuple(_users(incident))),
        Section("Tags", tuple(_tags(incident))),
        *rest,
        parts_section(parts),
        Section("History, the newest first", tuple(_history(incident))),
    )
    return assemble(head, sections, most=most)


def incident_sentence(incident: Document) -> str:
    """Return how bad, how often and since when, in one sentence."""
    again = f", {came_back(incident)}" if incident.get("episode", 1) > 1 else ""
    assigned = f" {span(incident['assignee'])} has it." if incident.get("assignee") else ""
    events = "1 event" if incident["count"] == 1 else f"{incident['count']} events"
    return (
        f"{str(incident['severity']).capitalize()}, {incident['status']}{again}: {events} "
        f"of service {span(incident['service'])} from {incident['first_seen_at']} to "
        f"{incident['last_seen_at']}, in {span(incident['culprit'])}.{assigned}"
    )


def _where(incident: Document) -> Iterator[str]:
    environments = incident.get("environments") or ()
    lines = [f"- environments: {_spans(environments, incident.get('more_environments', 0))}"]
    lines += [f"- {name}: {span(incident[name])}" for name in ("category", "code") if incident.get(name)]
    lines += [f"- issue: {address(incident['link'])}"] if incident.get("link") else []
    yield "\n".join(lines)


def _releases(incident: Document) -> Iterator[str]:
    releases = incident.get("releases") or ()
    if releases:
        lines = [f"- {_release(each)}" for each in releases[:_PLACES]]
        more = incident.get("more_releases", 0) + max(0, len(releases) - _PLACES)
        yield "\n".join([*lines, f"- and {more} more"] if more else lines)


def _release(release: Any) -> str:
    if not isinstance(release, Mapping):
        return span(release)
    name = span(release["release"] or "(none named)")
    return (
        f"{name}: {release['count']} events, first {release['first_seen_at']}, last {release['last_seen_at']}"
    )


def _users(incident: Document) -> Iterator[str]:
    users = incident.get("users")
    if isinstance(users, Mapping) and users.get("count"):
        about = "" if users.get("exact", True) else "about "
        yield f"{about}{users['count']} users met it."


def _tags(incident: Document) -> Iterator[str]:
    tags = incident.get("tags") or ()
    lines = [f"- {span(tag['key'], 80)}: {_values(tag)}" for tag in tags[:_TAGS] if isinstance(tag, Mapping)]
    if lines:
        yield "\n".join(lines)


def _values(tag: Document) -> str:
    values = list(tag.get("values", ()))[:_TAG_VALUES]
    return ", ".join(f"{span(value['value'], 80)} {value['count']}" for value in values)


def _history(incident: Document) -> Iterator[str]:
    entries = list(incident.get("history") or ())
    for entry in entries[:_ENTRIES]:
        note = f": {span(entry['note'], 500)}" if entry.get("note") else ""
        reference = f", event {span(entry['event_id'])}" if entry.get("event_id") else ""
        yield f"- {entry['at']} {entry['reason']} by {span(entry['actor'])}{reference}{note}"
    if len(entries) > _ENTRIES:
        yield f"- and {len(entries) - _ENTRIES} older entries"


def _spans(values: Sequence[Any], more: int) -> str:
    shown = ", ".join(span(value) for value in values[:_PLACES]) or "none named"
    left = more + max(0, len(values) - _PLACES)
    return f"{shown} and {left} more" if left else shown
