"""A notification as Slack's blocks: a header, what happened, fields and buttons, with a bar in its colour.

Strangers' texts stand in ``plain_text`` objects alone, where Slack looks for no markup, and escaped as it
asks for: nobody is called, and no link is made, by what an event says.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from faultwire_consumer.domain.notification import NotificationKind
from faultwire_consumer.notify.message import message_of
from faultwire_consumer.notify.notification import Notification, NotifiedIncident
from faultwire_consumer.notify.plain_text import format_time
from faultwire_consumer.notify.senders.surface import as_entity, fit_quietly, headline_of, rows_of
from faultwire_shared.event import ErrorSeverity

TEXT_CHARACTERS: Final = 3000
HEADER_CHARACTERS: Final = 150
FIELD_CHARACTERS: Final = 500
LINE_CHARACTERS: Final = 500
LINK_CHARACTERS: Final = 3000
INCIDENTS_SHOWN: Final = 20
SECTIONS_MAX: Final = 20
"""Blocks of a digest's text; Slack takes 50 in a message."""

COLOURS: Final = {
    ErrorSeverity.CRITICAL: "#b3123b",
    ErrorSeverity.HIGH: "#d9730d",
    ErrorSeverity.MEDIUM: "#c9a400",
    ErrorSeverity.LOW: "#5b7a99",
}

_Block = dict[str, Any]


def block_message(notification: Notification) -> dict[str, Any]:
    """Return the message; ``text`` is what devices show as its notification."""
    headline = headline_of(notification)
    return {
        "text": fit_quietly(headline, TEXT_CHARACTERS, as_entity),
        "blocks": [{"type": "header", "text": _plain(headline, HEADER_CHARACTERS)}],
        "attachments": [
            {"color": COLOURS[notification.severity], "blocks": list(_blocks_of(notification))},
        ],
    }


def _blocks_of(notification: Notification) -> Iterator[_Block]:
    incidents = notification.incidents
    if notification.kind in (NotificationKind.DIGEST, NotificationKind.TEST) or not incidents:
        yield from _sections(message_of(notification).text.splitlines())
    elif len(incidents) == 1:
        yield from _single(notification, incidents[0])
    else:
        for incident in incidents[:INCIDENTS_SHOWN]:
            yield _one_of_many(notification, incident)
        yield from _rest(incidents[INCIDENTS_SHOWN:])
    if notification.kind is not NotificationKind.TEST:
        yield _context(f"Rule {notification.rule}, {format_time(notification.created_at)}")


def _single(notification: Notification, incident: NotifiedIncident) -> Iterator[_Block]:
    happened = message_of(notification).text.split("\n", 1)[0]
    lines = [happened, notification.detail, incident.title]
    fields = [_labelled(label, text) for label, text in rows_of(incident)]
    yield {
        "type": "section",
        "text": _plain_lines(line for line in lines if line),
        "fields": fields,
    }
    links = ((notification.link_of(incident), incident.id), (notification.event_link_of(incident), "Event"))
    buttons = [_button(f"Open {what}", link, number) for number, (link, what) in enumerate(links) if link]
    if buttons:
        yield {"type": "actions", "elements": buttons}


def _one_of_many(notification: Notification, incident: NotifiedIncident) -> _Block:
    where = f"{incident.service} in {incident.environment}" if incident.environment else incident.service
    happened = incident.reason.replace("_", " ")
    facts = f"{happened}; {incident.severity}, {incident.status}; {incident.count:,} events; {where}"
    section: _Block = {
        "type": "section",
        "text": _plain_lines((f"{incident.id}  {incident.title}", facts)),
    }
    link = notification.link_of(incident)
    return section | ({"accessory": _button("Open", link, 0)} if link else {})


def _rest(incidents: Sequence[NotifiedIncident]) -> Iterator[_Block]:
    if incidents:
        yield _context(f"And {len(incidents):,} more: {', '.join(one.id for one in incidents)}")


def _sections(lines: Sequence[str]) -> Iterator[_Block]:
    """Give many lines to as many sections as they need, `SECTIONS_MAX` at most."""
    shown = [fit_quietly(line, LINE_CHARACTERS, as_entity) for line in lines]
    sections, current, length = list[str](), list[str](), 0
    for line in shown:
        if length + len(line) + 1 > TEXT_CHARACTERS:
            sections.append("\n".join(current))
            current, length = [], 0
        current.append(line)
        length += len(line) + 1
    sections.append("\n".join(current))
    for text in sections[:SECTIONS_MAX]:
        if text.strip():
            yield {"type": "section", "text": _plain_object(text)}
    if len(sections) > SECTIONS_MAX:
        yield _context("The rest is on the page.")


def _labelled(label: str, text: str) -> _Block:
    return _plain_object(f"{label.capitalize()}\n{fit_quietly(text, FIELD_CHARACTERS, as_entity)}")


def _button(text: str, link: str, number: int) -> _Block:
    button = {"type": "button", "text": _plain(text, 75), "action_id": f"open-{number}"}
    return button | {"url": link[:LINK_CHARACTERS]}


def _context(text: str) -> _Block:
    return {"type": "context", "elements": [_plain(text, TEXT_CHARACTERS)]}


def _plain(text: str, maximum: int) -> _Block:
    return _plain_object(fit_quietly(text, maximum, as_entity))


def _plain_lines(lines: Iterable[str]) -> _Block:
    return _plain_object("\n".join(fit_quietly(line, LINE_CHARACTERS * 2 - 10, as_entity) for line in lines))


def _plain_object(text: str) -> _Block:
    return {"type": "plain_text", "text": text, "emoji": False}
