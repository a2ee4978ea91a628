"""An event's tags: short texts by which people search."""

from typing import Any, Final

from faultwire_consumer.gateway.sentry.event.notes import ReadingNotes
from faultwire_consumer.gateway.sentry.event.shape import is_number, name_of, pairs_of
from faultwire_shared.event import Scalar

_WORDS: Final = {True: "True", False: "False"}


def read_tags(given: dict[str, Any], notes: ReadingNotes) -> dict[str, Scalar]:
    """Read tags, an object or a list of pairs, and the distribution beside them.

    A number is a text here, as it is at Sentry, so that all clients' are compared alike; null is no tag,
    and neither is an object.
    """
    pairs = pairs_of(given.get("tags"))
    if pairs is None:
        if given.get("tags") is not None:
            notes.leave_out("tags")
        pairs = []
    found: dict[str, Scalar] = {}
    for name, value in [*pairs, ("dist", name_of(given.get("dist")) or None)]:
        text = _text(value)
        if text is None and value is not None:
            notes.leave_out("tags")
        elif text is not None and name.strip():
            found.setdefault(name.strip(), text)
    return found


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return _WORDS[value]
    if is_number(value):
        return str(value)
    return value if isinstance(value, str) else None
