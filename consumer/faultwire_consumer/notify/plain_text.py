"""Strangers' texts and times in a notification: one line, bounded, free of control codes."""

import re
from datetime import UTC, datetime
from typing import Final

from faultwire_shared.text import printable

# What chats read as more than a character: Slack's mentions and links, <!channel> and <https://…|a trusted
# name>, its labels, Markdown's links, and the words that call everybody. Python's <locals> is none of these.
_CHAT_MARKUP: Final = re.compile(
    r"<(?=[!@#]|[a-z][a-z0-9+.-]*://|mailto:|tel:|[^<>|\n]*\|[^<>\n]*>)"
    r"|(?<=\])\((?=\s*<?[a-z][a-z0-9+.-]*:)"
    r"|@(?=(?:all|channel|everyone|here)\b)",
    re.IGNORECASE,
)


def one_line(text: str, maximum: int) -> str:
    """Escape control characters and line breaks; cut the text at ``maximum`` characters.

    Markup stays as it came: each surface that reads some escapes it by its own rules, as `chat_text`
    does for chats.
    """
    escaped = printable(text[: maximum + 1])
    return escaped if len(escaped) <= maximum else f"{escaped[: maximum - 1]}…"


def chat_text(text: str) -> str:
    """Escape what a chat would read as a mention or a link, and nothing else: people read the rest."""
    return _CHAT_MARKUP.sub(lambda found: f"\\x{ord(found.group()):02x}", text)


def format_time(at: datetime) -> str:
    """Format a time for people, to the second, in UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
