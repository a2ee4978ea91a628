"""An incident as the text of a new issue in a tracker: short, for it travels in an address."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from faultwire_consumer.domain.report.incident import incident_sentence
from faultwire_consumer.domain.report.quoting import LINE_CHARACTERS, cut, fence
from faultwire_consumer.domain.report.trace import trace_lines
from faultwire_shared.event import Event
from faultwire_shared.text import printable

TITLE_CHARACTERS: Final = 200
_ROOM_FOR_FENCE: Final = 60


def issue_values(incident: Mapping[str, Any], *, link: str) -> dict[str, str]:
    """Return what a tracker's template is filled in with, but for the body, by field.

    Args:
        incident: the incident, its id as in ``INC-12``.
        link: the address of its page.
    """
    return {
        "title": cut(printable(" ".join(str(incident["title"]).split())), TITLE_CHARACTERS),
        "link": link,
        "service": str(incident["service"]),
        "release": str(incident["last_release"] or ""),
        "id": str(incident["id"]),
    }


def issue_body(incident: Mapping[str, Any], event: Event | None, *, link: str, most: int) -> str:
    """Return the body as Markdown: how it stands, where it is, and of the trace what fits, the crash last.

    Args:
        incident: the incident, its id as in ``INC-12``.
        event: the newest of its events that can be read; None where there is none.
        link: the address of its page.
        most: the most characters.
    """
    head = f"{incident_sentence(incident)}\n\n{incident['id']}: <{link}>\n"
    room = most - len(head) - _ROOM_FOR_FENCE
    lines = [] if event is None else list(_last(trace_lines(event.exceptions), room))
    return f"{head}\n{fence(lines, 'python-traceback')}\n" if lines else head[:most]


def _last(lines: Sequence[str], room: int) -> Iterator[str]:
    """Yield the last lines that fit, and before them how many do not."""
    kept = 0
    for line in reversed(lines):
        room -= min(len(printable(line)), LINE_CHARACTERS) + 1
        if room < 0:
            break
        kept += 1
    if kept and kept < len(lines):
        yield f"({len(lines) - kept} lines before are left out)"
    yield from lines[len(lines) - kept :]
