"""Strangers' texts and times in a notification: one line, bounded, free of markup and control codes."""

from datetime import UTC, datetime
from typing import Final

from faultwire_shared.text import printable

# Plain text ends up in mails, chats and tickets, and some of them read it as markup: <script> in a
# page, <!channel> and <https://…|a trusted name> in Slack. The same form as other escapes.
_MARKUP: Final = str.maketrans({"<": "\\x3c", ">": "\\x3e"})


def one_line(text: str, maximum: int) -> str:
    """Escape control characters, line breaks and angle brackets; cut the text at ``maximum`` characters."""
    escaped = printable(text[: maximum + 1]).translate(_MARKUP)
    return escaped if len(escaped) <= maximum else f"{escaped[: maximum - 1]}…"


def format_time(at: datetime) -> str:
    """Format a time for people, to the second, in UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
