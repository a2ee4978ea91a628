"""The API's documents: what is promised to programs, field by field."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from faultwire_consumer.domain.dead_body import BodyPlace, fields_of, find_place
from faultwire_consumer.domain.dead_letter_cure import cure_of
from faultwire_consumer.domain.incident_name import incident_name
from faultwire_consumer.store.contract.packed_body import is_packed
from faultwire_consumer.store.dead_letters.queries import DeadLetter, DeadLetterBody, DeadLetterHistoryEntry
from faultwire_consumer.store.events.event import EventGrouping, ReadableEvents, StoredEvent
from faultwire_consumer.store.events.event_list import EventSummary
from faultwire_consumer.store.events.neighbours import Neighbour, Neighbours
from faultwire_consumer.web.searched import SearchBounds
from faultwire_shared import codec
from faultwire_shared.json_text import UNREADABLE, encode_anything


class EventShape(Struct, frozen=True, kw_only=True):
    """An event in a list."""

    id: str
    incident_id: str
    title: str
    occurred_at: datetime
    received_at: datetime
    severity: str
    service: str
    environment: str
    release: str | None
    count: int
    body_kept: bool
    message: str | None
    """The first line of what this event says; the title is its incident's."""


class EventList(Struct, frozen=True, kw_only=True):
    """A page of events."""

    events: tuple[EventShape, ...]
    next_cursor: str | None
    searched: SearchBounds | None = None
    """The events that texts and values were looked for in; null where none were."""


class GroupingShape(Struct, frozen=True, kw_only=True):
    """The reason why an event is in its incident."""

    event_id: str
    incident_id: str
    version: int
    fingerprint: str
    parts: tuple[str, ...]


class NeighboursShape(Struct, frozen=True, kw_only=True):
    """The events around one, as those of its incident occurred; null where it is the last in a direction."""

    id: str
    incident_id: str
    first: Neighbour | None
    previous: Neighbour | None
    next: Neighbour | None
    last: Neighbour | None


class EventDocument(Struct, frozen=True, kw_only=True):
    """An event as on the wire, where its body was kept: every other field is as the service sent it."""

    id: str
    incident_id: str
    received_at: datetime


class DeadLetterShape(Struct, frozen=True, kw_only=True):
    """A dead letter in a list."""

    id: int
    reason: str
    detail: str
    first_seen_at: datetime
    attempts: int
    event_id: str | None
    origin: str
    status: str
    service: str | None


class DeadLetterDetail(DeadLetterShape, frozen=True, kw_only=True):
    """One dead letter with the body as text; bytes that are not UTF-8 show as escapes."""

    last_seen_at: datetime
    message_type: str | None
    size: int
    body: str
    place: BodyPlace | None
    """What is wrong in it, by the bytes that arrived."""
    fields: Mapping[str, str]
    """The fields that can be read, each as a JSON text, cut where it is long."""
    cure: str
    """What mends it, in a sentence."""
    edited_body: str | None
    """The body as an operator corrected it, which a replay takes."""
    history: tuple[DeadLetterHistoryEntry, ...]


class LetterAnswer(Struct, frozen=True, kw_only=True):
    """The outcome of a replay or discard."""

    id: int
    status: str
    outcome: str
    """``replayed``, ``replay_failed``, ``discarded``, ``edited``, ``unchanged``, or what would be."""
    detail: str
    attempts: int
    events: tuple[dict[str, Any], ...]
    dry_run: bool
    examined: str
    """The extent to which a dry run tried it; empty for what was done."""


class DeadLetterList(Struct, frozen=True, kw_only=True):
    """A page of dead letters."""

    dead_letters: tuple[DeadLetterShape, ...]
    next_cursor: str | None


class ReasonShape(Struct, frozen=True, kw_only=True):
    """The dead letters of one reason."""

    reason: str
    count: int
    cure: str
    """What mends them, in a sentence."""


class ReasonList(Struct, frozen=True, kw_only=True):
    """Dead letters by reason, the most frequent first."""

    reasons: tuple[ReasonShape, ...]


def event_shape(event: EventSummary, message: str | None) -> EventShape:
    """An event for a list."""
    names = [name for name in EventShape.__struct_fields__ if name not in ("incident_id", "message")]
    values = {name: getattr(event, name) for name in names}
    return EventShape(**values, incident_id=incident_name(event.incident_id), message=message)


def neighbours_shape(event: StoredEvent, beside: Neighbours) -> NeighboursShape:
    """The events around one."""
    return NeighboursShape(
        id=event.id,
        incident_id=incident_name(event.incident_id),
        first=beside.first,
        previous=beside.previous,
        next=beside.next,
        last=beside.last,
    )


def grouping_shape(grouping: EventGrouping) -> GroupingShape:
    """An event's key parts."""
    return GroupingShape(**_fields(grouping, GroupingShape))


def dead_letter_shape(letter: DeadLetter) -> DeadLetterShape:
    """A dead letter for a list."""
    return DeadLetterShape(**{name: getattr(letter, name) for name in DeadLetterShape.__struct_fields__})


def dead_letter_detail(
    letter: DeadLetterBody, *, history: tuple[DeadLetterHistoryEntry, ...]
) -> DeadLetterDetail:
    """One dead letter whole."""
    values = {name: getattr(letter, name) for name in DeadLetterShape.__struct_fields__}
    edited = letter.edited_body
    return DeadLetterDetail(
        **values,
        last_seen_at=letter.last_seen_at,
        message_type=letter.message_type,
        size=letter.size,
        body=letter.body.decode("utf-8", "backslashreplace"),
        place=find_place(letter.body, size=letter.size, detail=letter.detail),
        fields=fields_of(letter.body),
        cure=cure_of(letter.reason),
        edited_body=None if edited is None else edited.decode("utf-8", "backslashreplace"),
        history=history,
    )


def event_document(event: StoredEvent, kept: ReadableEvents | None) -> bytes:
    """The event as on the wire, with its incident and when it was received.

    Where its body is not kept, its row instead, and the ids of those of its kind that can be read.
    """
    document = _row_document(event, kept) if event.doc is None else _wire_document(event)
    document["incident_id"] = incident_name(event.incident_id)
    document["received_at"] = event.received_at
    return encode_anything(document)


def _row_document(event: StoredEvent, kept: ReadableEvents | None) -> dict[str, Any]:
    return _fields_of_row(event) | {"body_kept": False, "kept_events": kept, "truncated": ["$"]}


def _fields_of_row(event: StoredEvent) -> dict[str, Any]:
    names = ("id", "occurred_at", "severity", "service", "environment", "release", "count")
    return {name: getattr(event, name) for name in names}


def _wire_document(event: StoredEvent) -> dict[str, Any]:
    doc = event.doc or b""
    if is_packed(doc):
        return _unreadable(event, doc, "its body is damaged in the store, and cannot be unpacked")
    try:
        return msgspec.json.decode(doc, type=dict[str, Any])
    except UNREADABLE:
        pass
    try:
        # The content of a field that no version knows was never read, and may be unreadable.
        return msgspec.to_builtins(codec.decode(doc), builtin_types=(datetime,), str_keys=True)  # type: ignore[no-any-return]
    except codec.Undecodable as error:
        return _unreadable(event, doc, str(error))


def _unreadable(event: StoredEvent, doc: bytes, why: str) -> dict[str, Any]:
    return _fields_of_row(event) | {"unreadable": why, "text": doc.decode("utf-8", "backslashreplace")}


def _fields(row: Struct, shape: type[Struct]) -> dict[str, Any]:
    """The row's values that the shape has, with ids as operators write them."""
    values = {name: getattr(row, name) for name in shape.__struct_fields__}
    name = "incident_id" if "incident_id" in values else "id"
    return values | {name: incident_name(values[name])}
