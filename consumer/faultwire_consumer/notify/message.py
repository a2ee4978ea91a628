"""A notification as text for people and as JSON for programs; each escapes strangers' texts by its rules."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from faultwire_consumer.domain.notification import NotificationKind, NotificationReason
from faultwire_consumer.notify.digest.document import digest_document
from faultwire_consumer.notify.digest.text import digest_text
from faultwire_consumer.notify.digest.view import digest_subject
from faultwire_consumer.notify.notification import Notification, NotifiedIncident, SilencedPart
from faultwire_consumer.notify.plain_text import chat_text, format_time, one_line

SUBJECT_CHARACTERS: Final = 150
"""Mail programs and pagers show this much of a subject, with room to spare."""
LINE_CHARACTERS: Final = 500
INCIDENTS_SHOWN: Final = 50
"""Incidents that a summary shows in full."""
INCIDENTS_NAMED: Final = 500
"""Further ones that it names by their ids; a link, or a command, leads to the rest."""
INCIDENTS_IN_JSON: Final = 200
SERVICE_CHARACTERS: Final = 40
"""Of the service that a summary's subject names for all but the first incident."""

_HAPPENED: Final = {
    NotificationReason.NEW: "A new incident.",
    NotificationReason.REGRESSED: "It was resolved, and occurred again.",
    NotificationReason.SEVERITY_ROSE: "It became more severe.",
    NotificationReason.GROWTH: "Its count passed another power of ten.",
    NotificationReason.THRESHOLD: "There were more of them than the rule allows.",
    NotificationReason.REMINDER: "It is still open, and nobody has acknowledged it.",
    NotificationReason.UNMUTED: "Its mute is over, and it goes on.",
    NotificationReason.ACKNOWLEDGED: "Somebody has acknowledged it.",
    NotificationReason.RESOLVED: "It is resolved.",
    NotificationReason.ESCALATED: "Nobody has acknowledged it in time, so it comes to you.",
    NotificationReason.CONTINUED: "It goes on.",
    NotificationReason.STORM: "More came at once than are sent one by one.",
    NotificationReason.SCHEDULED: "What came since the last digest.",
    NotificationReason.REQUESTED: "A test of this receiver. Nothing happened, and there is nothing to do.",
}
_ESCAPED_IN_JSON: Final = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


class Message(Struct, frozen=True, kw_only=True):
    """A notification as a person reads it."""

    subject: str
    """One line of at most `SUBJECT_CHARACTERS`."""
    text: str
    """Several lines, with a line break at the end."""


def message_of(notification: Notification) -> Message:
    """Write the notification in plain text: in its receiver's own words where it has some."""
    own = notification.wording
    return Message(
        subject=_subject_of(notification) if own.subject is None else own.subject,
        text=_text_of(notification) if own.text is None else own.text,
    )


def json_of(notification: Notification) -> bytes:
    """Write the notification as one JSON document in ASCII, as the worker's guide describes it.

    Parsing the document yields the texts as they were stored; the bytes hold no control
    character, no letter beyond ASCII and no ``<``, ``>`` or ``&``.
    """
    text = json.dumps(_document_of(notification), ensure_ascii=True, separators=(",", ":"))
    return text.translate(_ESCAPED_IN_JSON).encode("ascii")


def _subject_of(notification: Notification) -> str:
    if notification.kind is NotificationKind.DIGEST:
        return one_line(digest_subject(notification), SUBJECT_CHARACTERS)
    incidents = notification.incidents
    if notification.kind is NotificationKind.TEST:
        text = f"[test] faultwire tests the receiver {notification.receiver}"
    elif len(incidents) == 1:
        (incident,) = incidents
        happened = incident.happened or notification.reason.replace("_", " ")
        text = f"[{notification.severity}] {incident.id} {happened}: {incident.service}: {incident.title}"
    else:
        return _summary_subject(notification)
    return one_line(text, SUBJECT_CHARACTERS)


def _summary_subject(notification: Notification) -> str:
    """Name the most important incident, and count the others; their number is never cut off."""
    if not notification.incidents:
        return f"[{notification.severity}] no incidents"
    first, *others = notification.incidents
    services = {incident.service for incident in others}
    where = f" in {len(services)} services"
    if len(services) == 1:
        is_same = services == {first.service}
        where = "" if is_same else f" in {one_line(next(iter(services)), SERVICE_CHARACTERS)}"
    rest = f" and {len(others) + notification.more_count:,} more{where}"
    text = f"[{notification.severity}] {first.id} {first.service}: {first.title}"
    return one_line(text, SUBJECT_CHARACTERS - len(rest)) + rest


def _text_of(notification: Notification) -> str:
    if notification.kind is NotificationKind.DIGEST:
        return digest_text(notification)
    lines = [happened(notification)]
    if notification.detail:
        lines.append(one_line(notification.detail, LINE_CHARACTERS))
    for incident in notification.incidents[:INCIDENTS_SHOWN]:
        lines.extend(("", *_incident_lines(notification, incident)))
    lines.extend(_more_lines(notification))
    if notification.kind is NotificationKind.TEST:
        lines.extend(("", f"Sent at {format_time(notification.created_at)}"))
        return "\n".join(lines) + "\n"
    lines.extend(
        ("", f"Rule {one_line(notification.rule, LINE_CHARACTERS)}, {format_time(notification.created_at)}")
    )
    return "\n".join(lines) + "\n"


def happened(notification: Notification) -> str:
    """Say in a sentence what a notification is about."""
    number = len(notification.incidents) + notification.more_count
    if number == 1:
        return _HAPPENED[notification.reason]
    more = f" {_HAPPENED[notification.reason]}" if notification.reason is NotificationReason.STORM else ""
    return f"{number:,} incidents.{more}" if number else _HAPPENED[notification.reason]


def _more_lines(notification: Notification) -> Iterator[str]:
    """Name what is not shown in full; what is not even named can be listed by the notification's number."""
    more = notification.incidents[INCIDENTS_SHOWN:]
    named = ", ".join(incident.id for incident in more[:INCIDENTS_NAMED])
    unnamed = len(more[INCIDENTS_NAMED:]) + notification.more_count
    if more:
        yield from ("", f"And {len(more) + notification.more_count:,} more: {named}")
    if unnamed:
        where = notification.rest_link() or f"faultwire alerts list --carrier {notification.number}"
        yield from ("", f"And {unnamed:,} that are not named here: {where}")


def _incident_lines(notification: Notification, incident: NotifiedIncident) -> Iterator[str]:
    yield f"{incident.id}  {one_line(incident.title, LINE_CHARACTERS)}"
    release = f", release {incident.release}" if incident.release else ""
    environment = f" in {incident.environment}" if incident.environment else ""
    # Each of several has a reason of its own; a single one's is the first line of the text.
    is_one_of_many = notification.kind is NotificationKind.SUMMARY
    because = incident.happened or (incident.reason.replace("_", " ") if is_one_of_many else "")
    rows = (
        ("because", because),
        ("service", f"{incident.service}{environment}{release}"),
        ("where", incident.culprit),
        ("code", incident.code),
        ("severity", f"{incident.severity}, {incident.status}"),
        ("events", _events_of(incident)),
        ("first", format_time(incident.first_seen_at)),
        ("last", format_time(incident.last_seen_at)),
        ("event", notification.event_link_of(incident) or incident.event_id or ""),
        ("page", notification.link_of(incident) or ""),
        ("issue", incident.issue or ""),
    )
    for label, value in rows:
        if value:
            yield f"  {label:<9} {one_line(value, LINE_CHARACTERS)}"


def _events_of(incident: NotifiedIncident) -> str:
    recent = "" if incident.recent_count is None else f", {incident.recent_count:,} of them recent"
    return f"{incident.count:,}{recent}"


def _document_of(notification: Notification) -> dict[str, Any]:
    """Build the document in the envelope that Standard Webhooks recommends: type, timestamp, data."""
    message = message_of(notification)
    shown = notification.incidents[:INCIDENTS_IN_JSON]
    more = notification.incidents[INCIDENTS_IN_JSON:]
    return {
        "type": f"{notification.kind}.{notification.reason}",
        "timestamp": _plain(notification.created_at),
        # Chats that accept a webhook read this field and ignore the rest.
        "text": chat_text(f"{message.subject}\n\n{message.text}"),
        "data": {
            "idempotency_key": notification.idempotency_key,
            "kind": notification.kind,
            "reason": notification.reason,
            "rule": _clean(notification.rule),
            "receiver": _clean(notification.receiver),
            "severity": notification.severity,
            "detail": _clean(notification.detail),
            "since": _plain(notification.since),
            "until": _plain(notification.until),
            "incidents": [_incident_document(notification, incident) for incident in shown],
            "more_incidents": _ids(more[:INCIDENTS_NAMED]),
            "more_count": len(more) + notification.more_count,
            "more_url": notification.rest_link() if more or notification.more_count else None,
            "silences": [_silence_document(silence) for silence in notification.silences],
            "digest": _digest_document(notification),
        },
    }


def _incident_document(notification: Notification, incident: NotifiedIncident) -> dict[str, Any]:
    fields = {name: _plain(getattr(incident, name)) for name in NotifiedIncident.__struct_fields__}
    return {
        **fields,
        "url": notification.link_of(incident),
        "event_url": notification.event_link_of(incident),
    }


def _silence_document(silence: SilencedPart) -> dict[str, Any]:
    return {name: _plain(getattr(silence, name)) for name in SilencedPart.__struct_fields__}


def _digest_document(notification: Notification) -> Any:
    return _clean_all(digest_document(notification)) if notification.kind is NotificationKind.DIGEST else None


def _clean_all(value: Any) -> Any:
    """Clean every text in a document of plain values, which is as deep as ours are."""
    if isinstance(value, dict):
        return {name: _clean_all(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_clean_all(inner) for inner in value]
    return _clean(value) if isinstance(value, str) else value


def _ids(incidents: Sequence[NotifiedIncident]) -> list[str]:
    return [incident.id for incident in incidents]


def _plain(value: Any) -> Any:
    plain = msgspec.to_builtins(value)
    return _clean(plain) if isinstance(plain, str) else plain


def _clean(text: str) -> str:
    """Replace lone surrogates, which a JSON parser need not accept."""
    return text.encode(errors="replace").decode()
