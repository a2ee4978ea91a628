"""Strangers' texts on the surface that shows them: one bounded line, escaped as that surface does."""

import re
from collections.abc import Callable
from typing import Final

from faultwire_consumer.domain.notification import NotificationKind
from faultwire_consumer.notify.message import message_of
from faultwire_consumer.notify.notification import Notification, NotifiedIncident
from faultwire_consumer.notify.plain_text import format_time
from faultwire_shared.text import printable

HEADLINE_CHARACTERS: Final = 500

Escape = Callable[[str], str]
"""Writes one character as its surface wants it."""

_MENTION: Final = re.compile(r"(?<!\w)@(?=\w)|@(?=all\b|channel\b|everyone\b|here\b)", re.IGNORECASE)
_MARKUP: Final = frozenset("\\`*_~|[]()<>#")
_ENTITIES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def as_it_is(character: str) -> str:
    """Return the character: for surfaces that show plain text."""
    return character


def as_entity(character: str) -> str:
    """Return a character as Slack wants it: the three that begin its mentions and links are entities."""
    return _ENTITIES.get(character, character)


def as_markdown(character: str) -> str:
    """Return a character of Markdown, so that it is read as itself."""
    return f"\\{character}" if character in _MARKUP else character


def as_markdown_entity(character: str) -> str:
    """Return a character of a chat that reads Markdown and Slack's mentions both, as Mattermost does."""
    return _ENTITIES.get(character) or as_markdown(character)


def fit(text: str, maximum: int, escape: Escape = as_it_is) -> str:
    """Return a text as one line without control codes, of at most ``maximum`` characters when escaped."""
    return _cut(printable(text[: maximum + 1]), maximum, escape)


def fit_quietly(text: str, maximum: int, escape: Escape) -> str:
    """Return a text as `fit` does, for a chat: nobody is mentioned by it.

    A zero-width space goes behind an ``@`` that would call somebody.
    """
    return _cut(_MENTION.sub("@\N{ZERO WIDTH SPACE}", printable(text[: maximum + 1])), maximum, escape)


def fit_bytes(text: str, maximum: int) -> str:
    """Return as many lines of a text as fit into ``maximum`` bytes of UTF-8."""
    lines = "\n".join(printable(line) for line in text[: maximum + 1].split("\n"))
    if len(lines.encode()) <= maximum:
        return lines
    return lines.encode()[: maximum - 3].decode(errors="ignore") + "…"


def headline_of(notification: Notification) -> str:
    """Return the notification in one line, not escaped for any surface but against control codes."""
    if notification.kind is NotificationKind.TEST or len(notification.incidents) != 1:
        return message_of(notification).subject
    return headline_of_incident(notification.incidents[0])


def headline_of_incident(incident: NotifiedIncident) -> str:
    """Return one incident in one line, not escaped for any surface but against control codes."""
    happened = incident.reason.replace("_", " ")
    text = f"[{incident.severity}] {incident.id} {happened}: {incident.service}: {incident.title}"
    return fit(text, HEADLINE_CHARACTERS)


def rows_of(incident: NotifiedIncident) -> tuple[tuple[str, str], ...]:
    """Return what is known of an incident as labels and texts, those that are empty left out."""
    recent = "" if incident.recent_count is None else f", {incident.recent_count:,} of them recent"
    rows = (
        ("service", incident.service),
        ("environment", incident.environment),
        ("severity", incident.severity.value),
        ("status", incident.status.value),
        ("events", f"{incident.count:,}{recent}"),
        ("release", incident.release or ""),
        ("code", incident.code),
        ("where", incident.culprit),
        ("first", format_time(incident.first_seen_at)),
        ("last", format_time(incident.last_seen_at)),
        ("issue", incident.issue or ""),
    )
    return tuple((label, text) for label, text in rows if text)


def _cut(line: str, maximum: int, escape: Escape) -> str:
    pieces = [escape(character) for character in line]
    length = sum(map(len, pieces))
    if length <= maximum:
        return "".join(pieces)
    while length > maximum - 1:
        length -= len(pieces.pop())
    return "".join(pieces) + "…"
