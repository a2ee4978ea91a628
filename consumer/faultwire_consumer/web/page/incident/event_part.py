"""The event that an incident's page shows: which it is, what it says, its trace, and why it is here."""

import re
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Final

from msgspec import Struct

from faultwire_consumer.domain.links.source import SourceLinks
from faultwire_consumer.domain.report.trace import trace_lines
from faultwire_consumer.domain.title import TITLE_CHARACTERS
from faultwire_consumer.store.events.incidents import Incident
from faultwire_consumer.web.page.incident.asked import PageAsked
from faultwire_consumer.web.page.incident.facts import EventFacts, NamedValue, facts_of, parts_of, place_words
from faultwire_consumer.web.page.incident.reading import ShownEvent, similar_to
from faultwire_consumer.web.page.incident.stack import ExceptionView, TraceOrder, view_chain
from faultwire_consumer.web.page.listed import list_address
from faultwire_shared.event import Event

_VARIABLE: Final = re.compile(r"""[^\s()\[\]{}'",;:]*\d[^\s()\[\]{}'",;:]*""")


class EventPart(Struct, frozen=True, kw_only=True):
    """The event that is shown."""

    id: str
    at: datetime
    received_at: datetime
    place: str
    is_kept: bool
    is_readable: bool
    """A version that is known here reads it."""
    instead: tuple[tuple[str, str], ...]
    first: str | None
    older: str | None
    newer: str | None
    last: str | None
    facts: EventFacts
    chain: tuple[ExceptionView, ...]
    order: TraceOrder
    other_order: str
    as_text: str
    parts: tuple[NamedValue, ...]
    similar: tuple[Incident, ...]
    similar_address: str | None


def event_part(shown: ShownEvent, asked: PageAsked, sources: SourceLinks) -> EventPart:
    """Return the event with all that is said of it."""
    stored, event, beside = shown.stored, shown.event, shown.neighbours
    chain = event.exceptions if event is not None else []
    other = TraceOrder.PYTHON if asked.order is TraceOrder.CRASH_FIRST else TraceOrder.CRASH_FIRST
    steps = {
        name: asked.elsewhere(f"/e/{one.id}") if one is not None and one.id != stored.id else None
        for name, one in (
            ("first", beside.first),
            ("older", beside.previous),
            ("newer", beside.next),
            ("last", beside.last),
        )
    }
    return EventPart(
        id=stored.id,
        at=stored.occurred_at,
        received_at=stored.received_at,
        place=place_words(shown.place),
        is_kept=stored.doc is not None,
        is_readable=event is not None,
        instead=tuple(_instead(shown, asked)),
        **steps,
        facts=facts_of(stored, event, asked),
        chain=view_chain(
            chain,
            order=asked.order,
            link_of=partial(sources.url_of, service=stored.service, release=stored.release),
        ),
        order=asked.order,
        other_order=asked.to(anchor="trace", order=other),
        as_text="\n".join(trace_lines(chain)),
        parts=parts_of(shown.grouping.parts) if shown.grouping is not None else (),
        similar=shown.similar,
        similar_address=list_address(similar_to(stored.service, chain[0].type)) if shown.similar else None,
    )


def _instead(shown: ShownEvent, asked: PageAsked) -> Iterator[tuple[str, str]]:
    readable = shown.readable
    if readable is None:
        return
    for label, event_id in (
        ("nearest in time", readable.nearest),
        ("first", readable.first),
        ("last", readable.last),
    ):
        if event_id is not None:
            yield label, asked.elsewhere(f"/e/{event_id}")


def heading(title: str, event: Event | None) -> tuple[str, str]:
    """Return the type of an incident and what its events say in common; a message without a type alone.

    Args:
        title: made of the first event.
        event: a later one; None where none can be read.
    """
    kind = event.exceptions[0].type if event is not None and event.exceptions else ""
    head, colon, rest = title.partition(": ")
    if kind and title.startswith(f"{kind}: "):
        head, rest = kind, title[len(kind) + 2 :]
    elif kind == title or not colon or " " in head:
        return title, ""
    said = event.exceptions[0].value if event is not None and event.exceptions else rest
    more = "…" if len(title) >= TITLE_CHARACTERS else ""
    return head, in_common(rest, said.strip().partition("\n")[0][: len(rest)]) + more


def in_common(one: str, other: str) -> str:
    """Return a text with "…" for the words in which another one differs, and for numbers where all may."""
    words, others = one.split(), other.split()
    if len(words) == len(others):
        return " ".join(word if word == there else "…" for word, there in zip(words, others, strict=True))
    return _VARIABLE.sub("…", one)
