"""A notification as one of Slack's older attachments, for chats that know no blocks and read Markdown."""

from collections.abc import Iterator
from typing import Any, Final

from faultwire_consumer.domain.notification import NotificationKind
from faultwire_consumer.notify.message import message_of
from faultwire_consumer.notify.notification import Notification, NotifiedIncident
from faultwire_consumer.notify.plain_text import format_time
from faultwire_consumer.notify.senders.slack_block import COLOURS
from faultwire_consumer.notify.senders.surface import Escape, fit_quietly, headline_of, rows_of

TEXT_CHARACTERS: Final = 3500
"""Discord takes 4,096 of a description and 6,000 of all texts together."""
TITLE_CHARACTERS: Final = 250
FIELD_CHARACTERS: Final = 200
LINE_CHARACTERS: Final = 300
INCIDENTS_SHOWN: Final = 15
IDS_SHOWN: Final = 50


def attachment_message(notification: Notification, escape: Escape) -> dict[str, Any]:
    """Return the message, its texts escaped as the chat wants them."""
    headline = headline_of(notification)
    attachment: dict[str, Any] = {
        "color": COLOURS[notification.severity],
        "fallback": fit_quietly(headline, TITLE_CHARACTERS, escape),
        "text": _bounded(_lines_of(notification, escape)),
    }
    if notification.kind is NotificationKind.INCIDENT and len(notification.incidents) == 1:
        attachment |= _single(notification, notification.incidents[0], escape)
    if notification.kind is not NotificationKind.TEST:
        footer = f"Rule {notification.rule}, {format_time(notification.created_at)}"
        attachment["footer"] = fit_quietly(footer, TITLE_CHARACTERS, escape)
    return {"text": fit_quietly(headline, TITLE_CHARACTERS * 2, escape), "attachments": [attachment]}


def _single(notification: Notification, incident: NotifiedIncident, escape: Escape) -> dict[str, Any]:
    fields = [
        {"title": label.capitalize(), "value": fit_quietly(text, FIELD_CHARACTERS, escape), "short": True}
        for label, text in rows_of(incident)
    ]
    titled: dict[str, Any] = {
        "title": fit_quietly(f"{incident.id} {incident.title}", TITLE_CHARACTERS, escape),
        "fields": fields,
    }
    link = notification.link_of(incident)
    return titled | ({"title_link": link} if link else {})


def _lines_of(notification: Notification, escape: Escape) -> Iterator[str]:
    incidents = notification.incidents
    lines = message_of(notification).text.splitlines()
    if notification.kind in (NotificationKind.DIGEST, NotificationKind.TEST) or not incidents:
        for line in lines:
            yield fit_quietly(line, LINE_CHARACTERS, escape)
        return
    yield fit_quietly(lines[0], LINE_CHARACTERS, escape)
    if notification.detail:
        yield fit_quietly(notification.detail, LINE_CHARACTERS, escape)
    if len(incidents) > 1:
        for incident in incidents[:INCIDENTS_SHOWN]:
            yield _line_of(notification, incident, escape)
        rest = incidents[INCIDENTS_SHOWN:]
        if rest:
            yield f"And {len(rest):,} more: {', '.join(one.id for one in rest[:IDS_SHOWN])}"


def _line_of(notification: Notification, incident: NotifiedIncident, escape: Escape) -> str:
    link = notification.link_of(incident)
    name = f"[{incident.id}]({link})" if link else incident.id
    said = f"{incident.severity}, {incident.service}: {incident.title}"
    return f"{name} {fit_quietly(said, FIELD_CHARACTERS, escape)}"


def _bounded(lines: Iterator[str]) -> str:
    """Join lines as long as they fit: cutting one could leave half of an escape or link."""
    kept, length = list[str](), 0
    for line in lines:
        if length + len(line) + 1 > TEXT_CHARACTERS:
            kept.append("…")
            break
        kept.append(line)
        length += len(line) + 1
    return "\n".join(kept)
