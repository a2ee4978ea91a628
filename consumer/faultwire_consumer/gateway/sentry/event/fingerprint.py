"""The parts by which a client says that errors are one."""

import re
from typing import Any, Final

from faultwire_consumer.gateway.sentry.event.notes import ReadingNotes
from faultwire_consumer.gateway.sentry.event.shape import is_number

_DEFAULT: Final = re.compile(r"\{\{ {0,3}default {0,3}\}\}")


def read_fingerprint(given: Any, notes: ReadingNotes) -> list[str]:
    """Read a fingerprint, a list or one text; an empty list is none, as Ruby's and Go's clients send it."""
    parts = [given] if isinstance(given, str) else given
    if parts is not None and not isinstance(parts, list):
        notes.leave_out("fingerprint")
        return []
    return [text for part in parts or [] if (text := _text(part))]


def _text(part: Any) -> str:
    if isinstance(part, str):
        return "{{ default }}" if _DEFAULT.fullmatch(part) else part
    return str(part) if is_number(part) else ""
