"""Lists as Markdown: a line for each incident, event or loss."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from faultwire_consumer.domain.producer.state import ProducerReason, ProducerState
from faultwire_consumer.domain.report.layout import CHARACTERS, Section, assemble
from faultwire_consumer.domain.report.quoting import WARNING, came_back, span

Row = Mapping[str, Any]
_TITLE: Final = 160
_QUIET: Final = {
    ProducerReason.ON_ITS_DISK: "quiet, with events on its disk",
    ProducerReason.NO_GOODBYE: "quiet, and said no goodbye",
}


def incident_list(incidents: Sequence[Row], *, more: bool, most: int = CHARACTERS) -> str:
    """Return a list of incidents as the API gives them, a line each."""
    return _listing("Incidents", "incidents", [_incident(row) for row in incidents], more=more, most=most)


def event_list(events: Sequence[Row], *, more: bool, most: int = CHARACTERS) -> str:
    """Return a list of events as the API gives them, a line each."""
    return _listing("Events", "events", [_event(row) for row in events], more=more, most=most)


def loss_list(producers: Sequence[Row], *, more: bool, most: int = CHARACTERS) -> str:
    """Return what producers lost and what is missing of them, a line for each that has any or is quiet."""
    lines = [_producer(row) for row in producers if _is_lossy(row)]
    return _listing("Producers that lost events, or went quiet", "losses", lines, more=more, most=most)


def client_list(services: Sequence[Row], *, more: bool, most: int = CHARACTERS) -> str:
    """Return the client libraries of services by version, a line each; empty for none."""
    lines = [_client(service, row) for service in services for row in service.get("clients", ())]
    return _listing("Clients of services", "clients", lines, more=more, most=most) if lines else ""


def silence_list(silences: Sequence[Row], *, more: bool, most: int = CHARACTERS) -> str:
    """Return silences as the API gives them, a line each."""
    return _listing("Silences", "silences", [_silence(row) for row in silences], more=more, most=most)


def _silence(row: Row) -> str:
    critical = ", critical ones too" if row["also_critical"] else ""
    return (
        f"- {row['id']} {row['state']} until {row['ends_at']}{critical}; hid {row['hits']} notifications; "
        f"{span(row['described'], _TITLE)}; {span(row['comment'], _TITLE)} by {span(row['author'], 40)}"
    )


def _listing(heading: str, what: str, lines: Sequence[str], *, more: bool, most: int) -> str:
    if not lines:
        return f"No {what}.\n"
    follows = [f"More {what} follow; ask for the next page or narrow the query."] if more else []
    return assemble([WARNING], [Section(heading, (*lines, *follows))], most=most)


def _incident(row: Row) -> str:
    words = [str(row["severity"]), str(row["status"]), f"{row['count']} events"]
    if row.get("episode", 1) > 1:
        words.append(came_back(row))
    users = row.get("users")
    if isinstance(users, Mapping) and users["count"]:
        words.append(f"{'' if users['exact'] else 'about '}{users['count']} users")
    if row.get("assignee"):
        words.append(f"{span(row['assignee'], 60)} has it")
    return (
        f"- **{row['id']}** {', '.join(words)}; service {span(row['service'], 80)}, "
        f"first {row['first_seen_at']}, last {row['last_seen_at']}: {span(row['title'], _TITLE)}"
    )


def _event(row: Row) -> str:
    release = f", release {span(row['release'], 80)}" if row.get("release") else ""
    kept = "" if row.get("body_kept", True) else " (counted, body not kept)"
    title = row.get("message") or row["title"]
    return (
        f"- {span(row['id'])} of {row['incident_id']} at {row['occurred_at']}, {row['severity']}, "
        f"{span(row['environment'], 80)}{release}{kept}: {span(title, _TITLE)}"
    )


def _is_lossy(row: Row) -> bool:
    is_quiet = row.get("state") == ProducerState.QUIET
    return bool(row["missing"] or row["lost"] or row["unfollowed"] or row["dead_lettered"] or is_quiet)


def _producer(row: Row) -> str:
    lost = _counts(row["lost"])
    quiet = _QUIET.get(row.get("state_reason", "")) if row.get("state") == ProducerState.QUIET else None
    words = [
        quiet or "",
        f"{row['missing']} missing" if row["missing"] else "",
        f"{row['unfollowed']} more that are not followed" if row["unfollowed"] else "",
        f"{row['dead_lettered']} dead letters" if row["dead_lettered"] else "",
        f"lost on purpose: {lost}" if lost else "",
        f"{row['spool_depth']} wait on its disk" if row["spool_depth"] else "",
    ]
    return (
        f"- service {span(row['service'], 80)} on {span(row['host'], 80)}, producer {span(row['id'], 80)}, "
        f"last seen {row['last_seen_at']}: {'; '.join(word for word in words if word)}"
    )


def _client(service: Row, row: Row) -> str:
    lost, dropped = _counts(row["lost"]), _counts(row["dropped"])
    words = [
        f"{row['numbered'] + row['unnumbered']} events",
        f"reported by the {span(row['via'], 40)}" if row["via"] else f"{row['processes']} processes",
        f"lost, by its own word: {lost}" if lost else "",
        f"came and is not stored: {dropped}" if dropped else "",
    ]
    return (
        f"- service {span(service['service'], 80)}, {span(row['sdk'], 100)}, "
        f"last seen {row['last_seen_at']}: {'; '.join(word for word in words if word)}"
    )


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {span(name, 60)}" for name, count in counts.items())
