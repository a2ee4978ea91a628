"""A stranger's text in a notification: one line, bounded, with nothing in it that steers whoever shows it."""

from datetime import UTC, datetime
from typing import Final

from faultwire_shared.text import printable

# Plain text ends up in mails, chats and tickets, and some of them read it as markup: <script> in a
# page, <!channel> and <https://…|a trusted name> in Slack. The same form as other escapes.
_MARKUP: Final = str.maketrans({"<": "\\x3c", ">": "\\x3e"})


def one_line(text: str, most: int) -> str:
    """The text with control characters, line breaks and angle brackets as escapes, ``most`` long at most."""
    escaped = printable(text[: most + 1]).translate(_MARKUP)
    return escaped if len(escaped) <= most else f"{escaped[: most - 1]}…"


def moment(at: datetime) -> str:
    """A time for people, to the second, in UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
