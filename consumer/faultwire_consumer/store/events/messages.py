"""The message of each event of a list: events of one incident have the title of its first one in common."""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct
from sqlalchemy import Select, select

from faultwire_consumer.store.contract.store import StoreReader
from faultwire_consumer.store.events.bodies import doc_of
from faultwire_consumer.store.events.event_list import EventSummary
from faultwire_consumer.store.schema.events import QUARANTINE_DAY, events
from faultwire_shared.event_id import day_of
from faultwire_shared.json_text import UNREADABLE
from faultwire_shared.text import storable

MESSAGE_CHARACTERS: Final = 200
_CHUNK: Final = 50
"""The number of bodies that are in memory at once: each has 256 KiB at most, and most have a few."""


_TAGS: Final = 50

T = TypeVar("T", bound="_EventText")


class _RaisedText(Struct):
    type: str = ""
    value: str = ""


class _EventText(Struct):
    """The texts of an event's body; all else in it is passed over."""

    message: str = ""
    exceptions: tuple[_RaisedText, ...] = ()


class _EventWords(_EventText):
    """The same, and whom and what it names."""

    user: dict[str, Any] = {}
    tags: dict[str, Any] = {}


class EventSaid(Struct, frozen=True):
    """The parts of an event that a table shows: the first line of its text, its user, and its tags."""

    message: str
    user: str
    """The first of the user's fields; empty where it names none."""
    tags: Mapping[str, str]


async def read_messages(store: StoreReader, rows: Sequence[EventSummary]) -> dict[str, str]:
    """Read the first line of what each event says, by its id; nothing of those whose body is not kept.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    told = await _read_texts(store, rows, _EventText)
    return {event_id: message for event_id, text in told.items() if (message := _message_in(text))}


async def read_said(store: StoreReader, rows: Sequence[EventSummary]) -> dict[str, EventSaid]:
    """Read what a table shows of each event, by its id; nothing of those whose body is not kept.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    told = await _read_texts(store, rows, _EventWords)
    return {
        event_id: EventSaid(
            _message_in(text),
            next((_line(str(value)) for value in text.user.values() if isinstance(value, str | int)), ""),
            {key: _line(str(value)) for key, value in islice(text.tags.items(), _TAGS)},
        )
        for event_id, text in told.items()
    }


async def _read_texts(store: StoreReader, rows: Sequence[EventSummary], kind: type[T]) -> dict[str, T]:
    ids = [row.id for row in rows if row.body_kept]
    found = {}
    for start in range(0, len(ids), _CHUNK):
        for row in await store.read(bodies_of(ids[start : start + _CHUNK])):
            if row.doc is not None and (text := _decode(row.doc, kind)) is not None:
                found[row.event_id] = text
    return found


def bodies_of(ids: Sequence[str]) -> Select[Any]:
    """Select events' bodies by their ids, which also name their days."""
    days = {QUARANTINE_DAY, *map(day_of, ids)}
    return select(events.c.event_id, doc_of(events).label("doc")).where(
        events.c.occurred_day.in_(sorted(days)), events.c.event_id.in_(ids)
    )


def _decode(doc: bytes, kind: type[T]) -> T | None:
    try:
        return msgspec.json.decode(doc, type=kind)
    except UNREADABLE:
        return None


def _message_in(told: _EventText) -> str:
    raised = told.exceptions[0] if told.exceptions else _RaisedText()
    return next(filter(None, map(_line, (told.message, raised.value, raised.type))), "")


def _line(text: str) -> str:
    line = storable(text.strip().partition("\n")[0]).strip()
    return line if len(line) <= MESSAGE_CHARACTERS else f"{line[: MESSAGE_CHARACTERS - 1]}…"
