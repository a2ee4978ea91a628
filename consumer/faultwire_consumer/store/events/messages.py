"""The message of each event of a list: events of one incident have the title of its first one in common."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import Select, select

from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.events.bodies import doc_of
from faultwire_consumer.store.events.event_list import EventSummary
from faultwire_consumer.store.schema.events import QUARANTINE_DAY, events
from faultwire_shared.event_id import day_of
from faultwire_shared.json_text import UNREADABLE
from faultwire_shared.text import storable

MESSAGE_CHARACTERS: Final = 200
_CHUNK: Final = 50
"""The number of bodies that are in memory at once: each has 256 KiB at most, and most have a few."""


class _RaisedText(Struct):
    type: str = ""
    value: str = ""


class _EventText(Struct):
    """The texts of an event's body; all else in it is passed over."""

    message: str = ""
    exceptions: tuple[_RaisedText, ...] = ()


async def read_messages(store: Store, rows: Sequence[EventSummary]) -> dict[str, str]:
    """Read the first line of what each event says, by its id; nothing of those whose body is not kept.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    ids = [row.id for row in rows if row.body_kept]
    messages = {}
    for start in range(0, len(ids), _CHUNK):
        for row in await store.read(bodies_of(ids[start : start + _CHUNK])):
            if row.doc is not None and (message := _message_in(row.doc)):
                messages[row.event_id] = message
    return messages


def bodies_of(ids: Sequence[str]) -> Select[Any]:
    """Select events' bodies by their ids, which also name their days."""
    days = {QUARANTINE_DAY, *map(day_of, ids)}
    return select(events.c.event_id, doc_of(events).label("doc")).where(
        events.c.occurred_day.in_(sorted(days)), events.c.event_id.in_(ids)
    )


def _message_in(doc: bytes) -> str:
    try:
        told = msgspec.json.decode(doc, type=_EventText)
    except UNREADABLE:
        return ""
    raised = told.exceptions[0] if told.exceptions else _RaisedText()
    for text in (told.message, raised.value, raised.type):
        line = storable(text.strip().partition("\n")[0]).strip()
        if line:
            return line if len(line) <= MESSAGE_CHARACTERS else f"{line[: MESSAGE_CHARACTERS - 1]}…"
    return ""
