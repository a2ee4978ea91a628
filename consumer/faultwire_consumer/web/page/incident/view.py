"""An incident's page as one value, made of what was read: its template decides nothing."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from faultwire_consumer.domain.figures.value_count import TAG
from faultwire_consumer.domain.incident import Status, Verb
from faultwire_consumer.domain.incident_name import incident_name
from faultwire_consumer.domain.lifecycle.offer import offered_verbs
from faultwire_consumer.domain.lifecycle.table import state_of
from faultwire_consumer.domain.links.tracker import short_link
from faultwire_consumer.domain.release_order import newest_release
from faultwire_consumer.domain.report.trace import trace_lines
from faultwire_consumer.store.events.event_list import EventSummary
from faultwire_consumer.store.events.figures.reading import ReleaseCount
from faultwire_consumer.store.events.incidents import Incident
from faultwire_consumer.store.events.messages import EventSaid
from faultwire_consumer.web.page.incident import answers
from faultwire_consumer.web.page.incident.asked import PageAsked
from faultwire_consumer.web.page.incident.facts import EventFacts, NamedValue, facts_of, parts_of, place_words
from faultwire_consumer.web.page.incident.reading import PageMaterial, ShownEvent, similar_to
from faultwire_consumer.web.page.incident.stack import ExceptionView, LinkOf, TraceOrder, no_link, view_chain
from faultwire_consumer.web.page.incident.state import StateClause, state_sentence
from faultwire_consumer.web.page.incident.timeline import Timeline, timeline
from faultwire_consumer.web.page.listed import list_address
from faultwire_consumer.web.page.verb_choices import VerbChoices
from faultwire_shared.event import Event

_RELEASES: Final = 20
_TITLE: Final = 200
_VARIABLE: Final = re.compile(r"""[^\s()\[\]{}'",;:]*\d[^\s()\[\]{}'",;:]*""")


class ListCrumb(Struct, frozen=True, kw_only=True):
    """The way back to the list, and to the incidents beside this one there."""

    list_address: str
    list_text: str
    previous: str | None
    following: str | None


class TableRow(Struct, frozen=True, kw_only=True):
    """An event of the table."""

    event: EventSummary
    said: EventSaid | None
    tag: str
    address: str
    is_shown: bool


class EventTable(Struct, frozen=True, kw_only=True):
    """The incident's events, a page of them."""

    rows: tuple[TableRow, ...]
    tag_name: str
    """The tag that has a column; empty for none."""
    text: str
    before: str
    wrong: str
    problem: str
    newer: str | None
    older: str | None
    first: str | None
    export: str


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


class IncidentView(Struct, frozen=True, kw_only=True):
    """The whole page."""

    incident: Incident
    name: str
    type: str
    message: str
    sentence: tuple[StateClause, ...]
    growth: str | None
    crumb: ListCrumb
    choices: VerbChoices
    began: answers.BeganAnswer
    often: answers.OftenAnswer
    people: tuple[answers.NamedPerson, ...]
    people_sampled: int
    where: tuple[answers.KeyShares, ...]
    told: answers.ToldAnswer
    event: EventPart | None
    table: EventTable
    timeline: Timeline
    tags: tuple[answers.KeyShares, ...]
    uncounted_tags: int
    releases: tuple[ReleaseCount, ...]
    more_releases: int
    merged: tuple[str, ...]
    counted_since: datetime | None


def view_incident(
    found: PageMaterial,
    asked: PageAsked,
    *,
    now: datetime,
    grows: Sequence[int],
    me: str,
    link_of: LinkOf = no_link,
) -> IncidentView:
    """Return the page of an incident.

    Args:
        found: everything that was read.
        asked: what the address chooses.
        now: the time.
        grows: the counts that are told as growth.
        me: the name of who reads, as histories keep it.
        link_of: where a call's line is to be read.
    """
    incident, figures = found.incident, found.figures
    kind, message = heading(incident.title, found.shown.event if found.shown is not None else None)
    more_told = found.more_told
    return IncidentView(
        incident=incident,
        name=incident_name(incident.id),
        type=kind,
        message=message,
        sentence=state_sentence(incident, found.history),
        growth=answers.growth_words(incident),
        crumb=_crumb(found, asked),
        choices=_choices(found, me),
        began=answers.began(incident, figures, found.sights),
        often=answers.how_often(found.hours, figures, asked, now=now),
        people=answers.people(found.people, asked),
        people_sampled=found.people.sampled,
        where=answers.telling(figures, asked),
        told=answers.told(incident, found.told, is_more=more_told, grows=grows),
        event=_event(found.shown, asked, link_of) if found.shown is not None else None,
        table=_table(found, asked),
        timeline=timeline(found.history, found.told, figures.releases),
        tags=answers.tag_shares(figures, asked),
        uncounted_tags=figures.uncounted_tags,
        releases=figures.releases[-_RELEASES:],
        more_releases=figures.more_releases + max(0, len(figures.releases) - _RELEASES),
        merged=tuple(map(incident_name, found.merged)),
        counted_since=figures.counted_since,
    )


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
    elif kind == title:
        return title, ""
    elif not colon or " " in head:
        return title[:_TITLE], ""
    said = event.exceptions[0].value if event is not None and event.exceptions else rest
    return head, in_common(rest, said.strip().partition("\n")[0][:_TITLE])


def in_common(one: str, other: str) -> str:
    """Return a text with "…" for the words in which another one differs, and for numbers where all may."""
    words, others = one.split(), other.split()
    if len(words) == len(others):
        return " ".join(word if word == there else "…" for word, there in zip(words, others, strict=True))
    return _VARIABLE.sub("…", one)


def _crumb(found: PageMaterial, asked: PageAsked) -> ListCrumb:
    came_from, listed = asked.list_before, found.listed
    previous, following = (
        asked.elsewhere(f"/incidents/{incident_name(one)}") if one is not None else None
        for one in (listed.previous, listed.following)
    )
    return ListCrumb(
        list_address=came_from.address if came_from is not None else "/",
        list_text=came_from.text if came_from is not None else "",
        previous=previous,
        following=following,
    )


def _choices(found: PageMaterial, me: str) -> VerbChoices:
    incident = found.incident
    state = state_of(incident.status, is_muted=incident.terms.mute is not None)
    environments = next((key.values for key in found.figures.tags if key.key == "environment"), ())
    similar = found.shown.similar if found.shown is not None else ()
    return VerbChoices(
        path=f"/incidents/{incident_name(incident.id)}",
        version=incident.version,
        verbs=offered_verbs(
            state, is_assigned=incident.assignee is not None, is_linked=incident.terms.link is not None
        ),
        main=_main_verb(incident.status),
        me=me,
        people=found.accounts,
        last_release=newest_release(found.sights),
        environments=tuple(value.value for value in environments),
        similar=tuple((incident_name(one.id), one.title) for one in similar),
        link=incident.terms.link,
        link_text=short_link(incident.terms.link) if incident.terms.link is not None else "",
    )


def _main_verb(status: Status) -> Verb:
    return {
        Status.OPEN: Verb.ACKNOWLEDGE,
        Status.ACKNOWLEDGED: Verb.RESOLVE,
        Status.RESOLVED: Verb.REOPEN,
    }[status]


def _event(shown: ShownEvent, asked: PageAsked, link_of: LinkOf) -> EventPart:
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
        chain=view_chain(chain, order=asked.order, link_of=link_of),
        order=asked.order,
        other_order=asked.to(anchor="trace", order=other),
        as_text="\n".join(trace_lines(chain)),
        parts=parts_of(shown.grouping.parts) if shown.grouping is not None else (),
        similar=shown.similar,
        similar_address=list_address(similar_to(stored.service, chain[0].type)) if chain else None,
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


def _table(found: PageMaterial, asked: PageAsked) -> EventTable:
    shown_id = found.shown.stored.id if found.shown is not None else None
    tag = next((key.key.removeprefix(TAG) for key in found.figures.tags if key.key.startswith(TAG)), "")
    problem = found.search.problem
    cursor = found.rows.next_cursor
    before = asked.query[: problem.column - 1] if problem is not None else ""
    return EventTable(
        rows=tuple(
            _row(row, found.said.get(row.id), tag, asked, row.id == shown_id) for row in found.rows.rows
        ),
        tag_name=tag,
        text=asked.query,
        before=before,
        wrong=asked.query[len(before) :][: problem.length] if problem is not None else "",
        problem=problem.message if problem is not None else "",
        newer=asked.newer(),
        older=asked.older(cursor) if cursor is not None else None,
        first=asked.to(anchor="events", cursor=None, trail=()) if asked.cursor is not None else None,
        export=f"/api/v1/events?{_incident_query(found.incident)}",
    )


def _incident_query(incident: Incident) -> str:
    return f"incident={incident_name(incident.id)}&limit=1000"


def _row(row: EventSummary, said: EventSaid | None, tag: str, asked: PageAsked, is_shown: bool) -> TableRow:
    return TableRow(
        event=row,
        said=said,
        tag=said.tags.get(tag, "") if said is not None else "",
        address=asked.elsewhere(f"/e/{row.id}"),
        is_shown=is_shown,
    )
