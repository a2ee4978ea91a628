"""An event's facts: each value that can be searched for is a link to its query."""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any, Final

from msgspec import Struct

from faultwire_consumer.domain.query.query import Key, any_of
from faultwire_consumer.domain.report.event import seconds_before
from faultwire_consumer.store.events.event import StoredEvent
from faultwire_consumer.store.events.position import EventPlace
from faultwire_consumer.web.page.incident.answers import tag_term
from faultwire_consumer.web.page.incident.asked import PageAsked
from faultwire_consumer.web.page.listed import list_address
from faultwire_shared.event import Event

TAGS: Final = 40
VALUES: Final = 50
CRUMBS: Final = 100
CRUMBS_OPEN: Final = 20
"""The breadcrumbs that are not folded: the last ones before the error."""
_CHARACTERS: Final = 2_000
_DATA_CHARACTERS: Final = 300
_QUERY_VALUE_CHARACTERS: Final = 200
_ORDINARY: Final = ("timestamp", "category", "level", "type", "message", "data")
_MINUS: Final = "\N{MINUS SIGN}"
_BAD_LEVELS: Final = ("error", "critical", "fatal")


class EventFact(Struct, frozen=True, kw_only=True):
    """A fact, and where what shares it is."""

    name: str
    value: str
    address: str | None = None
    is_code: bool = False


class NamedValue(Struct, frozen=True):
    """A named value of a context; one of several lines stands in a block."""

    name: str
    value: str
    is_long: bool


class ValueList(Struct, frozen=True, kw_only=True):
    """A context, a request or a user, and how many values are left out."""

    title: str
    pairs: tuple[NamedValue, ...]
    more: int


class TagFact(Struct, frozen=True):
    """A tag of the event, and the incident's events that share it."""

    name: str
    value: str
    address: str


class TrailLine(Struct, frozen=True, kw_only=True):
    """A breadcrumb on one line."""

    seconds: str
    kind: str
    message: str
    data: str
    is_bad: bool


class EventFacts(Struct, frozen=True, kw_only=True):
    """Everything that an event says beside its exceptions."""

    happened: tuple[EventFact, ...]
    user: tuple[EventFact, ...]
    trace: EventFact | None
    tags: tuple[TagFact, ...]
    more_tags: int
    details: tuple[ValueList, ...]
    others: tuple[EventFact, ...]
    earlier_crumbs: tuple[TrailLine, ...]
    crumbs: tuple[TrailLine, ...]
    more_crumbs: int


def facts_of(stored: StoredEvent, event: Event | None, asked: PageAsked) -> EventFacts:
    """Return an event's facts; of one whose body is not kept, those of its row."""
    tags = event.tags if event is not None else {}
    crumbs = [crumb_of(crumb, event.occurred_at) for crumb in event.breadcrumbs[-CRUMBS:]] if event else []
    return EventFacts(
        happened=tuple(_happened(stored, event)),
        user=tuple(_user(event)) if event is not None else (),
        trace=_trace(event) if event is not None else None,
        tags=tuple(_tag(name, value, asked) for name, value in islice(tags.items(), TAGS)),
        more_tags=max(0, len(tags) - TAGS),
        details=tuple(_details(event)) if event is not None else (),
        others=tuple(_others(stored, event)),
        earlier_crumbs=tuple(crumbs[:-CRUMBS_OPEN]),
        crumbs=tuple(crumbs[-CRUMBS_OPEN:]),
        more_crumbs=max(0, len(event.breadcrumbs) - CRUMBS) if event else 0,
    )


def place_words(place: EventPlace) -> str:
    """Return which event of the incident it is, as far as that was counted."""
    if place.before is not None and place.after is not None:
        return f"{place.before + 1:,} of {place.before + place.after + 1:,}"
    if place.after is not None:
        return "the newest" if place.after == 0 else f"{place.after:,} newer"
    return f"number {place.before + 1:,}" if place.before is not None else ""


def _happened(stored: StoredEvent, event: Event | None) -> Iterator[EventFact]:
    if event is not None and event.transaction:
        yield EventFact(name="in", value=event.transaction)
    for name, key, value in (
        ("release", Key.RELEASE, stored.release),
        ("environment", Key.ENVIRONMENT, stored.environment),
        ("host", Key.HOST, event.host if event is not None else None),
    ):
        if value:
            yield EventFact(name=name, value=value, address=_address(key, value))


def _user(event: Event) -> Iterator[EventFact]:
    for name, value in islice(event.user.items(), VALUES):
        text = _plain(value)
        is_said = isinstance(value, str | int | float) and not isinstance(value, bool)
        yield EventFact(name=name, value=text, address=_address(Key.USER, text) if is_said else None)


def _trace(event: Event) -> EventFact | None:
    if not event.trace_id:
        return None
    address = _address(Key.TRACE, event.trace_id.lower())
    return EventFact(name="trace", value=event.trace_id, address=address, is_code=True)


def _tag(name: str, value: object, asked: PageAsked) -> TagFact:
    text = _plain(value)
    query = tag_term(name, text)
    return TagFact(name, text, asked.to(anchor="events", query=query, cursor=None, trail=()))


def _details(event: Event) -> Iterator[ValueList]:
    for title, values in (("Context", event.context), ("Request", event.request)):
        if values:
            pairs = tuple(_pair(name, value) for name, value in islice(values.items(), VALUES))
            yield ValueList(title=title, pairs=pairs, more=max(0, len(values) - VALUES))


def _pair(name: str, value: object) -> NamedValue:
    if isinstance(value, str):
        text = value
    else:
        text = json.dumps(value, ensure_ascii=False, default=str)
        if len(text) > _DATA_CHARACTERS:
            text = json.dumps(value, ensure_ascii=False, default=str, indent=1)
    cut = text if len(text) <= _CHARACTERS else f"{text[:_CHARACTERS]}…"
    return NamedValue(name, cut, "\n" in cut or len(cut) > _DATA_CHARACTERS)


def _others(stored: StoredEvent, event: Event | None) -> Iterator[EventFact]:
    if event is None:
        return
    for name, value in (
        ("severity", f"{stored.severity.value}{f' ({event.severity_text})' if event.severity_text else ''}"),
        ("category", event.category.value),
        ("code", event.code),
        ("handled", "" if event.handled else "no"),
        ("stands for", f"{event.count:,} errors" if event.count > 1 else ""),
        ("span", event.span_id or ""),
        ("cut off", ", ".join(event.truncated[:20])),
        ("sent by", f"{event.sdk.name} {event.sdk.version}" if event.sdk else ""),
    ):
        if value:
            yield EventFact(name=name, value=value)


def crumb_of(crumb: Mapping[str, Any], at: datetime) -> TrailLine:
    """Return a breadcrumb on one line, with the seconds between it and the error."""
    seconds = seconds_before(crumb.get("timestamp"), at)
    extra = {name: value for name, value in crumb.items() if name not in _ORDINARY}
    return TrailLine(
        seconds="" if seconds is None else _seconds(seconds),
        kind=_one_line(str(crumb.get("category") or crumb.get("type") or "")),
        message=_one_line(str(crumb.get("message") or "")),
        data=_one_line(_compact(crumb.get("data") or extra)),
        is_bad=str(crumb.get("level")) in _BAD_LEVELS,
    )


def _seconds(seconds: float) -> str:
    if abs(seconds) < 100:
        return f"{-seconds:+.1f} s".replace("-", _MINUS)
    return f"{-seconds / 60:+,.0f} min".replace("-", _MINUS)


def _compact(value: Any) -> str:
    if isinstance(value, Mapping):
        return " · ".join(f"{name} {_plain(each)}" for name, each in islice(value.items(), VALUES))
    return _plain(value) if value not in (None, "", [], {}) else ""


def _one_line(text: str) -> str:
    line = " ".join(text[: _DATA_CHARACTERS + 1].split())
    return line if len(text) <= _DATA_CHARACTERS else f"{line[:_DATA_CHARACTERS]}…"


def _plain(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _CHARACTERS else f"{text[:_CHARACTERS]}…"


def _address(key: Key, value: str) -> str:
    return list_address(any_of(key, [value[:_QUERY_VALUE_CHARACTERS]]))


def parts_of(parts: Iterable[str]) -> tuple[NamedValue, ...]:
    """Return the key parts of a fingerprint, each as its subject and what it says."""
    return tuple(
        NamedValue(*part.partition(" ")[::2], False) if " " in part else NamedValue("", part, False)
        for part in islice(parts, VALUES)
    )
