"""The tools that read: find, show, compare, what is new, what was lost."""

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from faultwire_consumer.agents.door import Door, Parameters
from faultwire_consumer.agents.rules import READING_RULES
from faultwire_consumer.agents.silences import LIST_SILENCES
from faultwire_consumer.agents.tool import Tool
from faultwire_consumer.domain.report.layout import CHARACTERS, CHARACTERS_LEAST, CHARACTERS_MOST
from faultwire_consumer.domain.report.listing import client_list, event_list, incident_list, loss_list

NEW_MOST: Final = 100
"""Incidents of a release that are listed."""
SERVICES_MOST: Final = 50
"""Services whose clients are listed: those that were heard from last."""
_QUERY: Final = (
    "Terms that must all hold: words or quoted texts of what was recorded, and keys as in "
    "severity:>=high is:unresolved service:billing environment:production release:2.4.1 type:KeyError "
    "first-release:2.4.1 user:42 trace:4bf92f tag.region:eu* since:24h first:24h; a minus in front negates."
)
Query = Annotated[str, Meta(description=_QUERY, max_length=1000)]
Order = Annotated[
    Literal["urgent", "last", "first", "count", "users", "growth"],
    Meta(description="The most urgent first, or the last seen, the last begun, most events, users, growth."),
]
Rows = Annotated[int, Meta(description="The most rows.", ge=1, le=100)]
Cursor = Annotated[str, Meta(description="Where the page before ended, as it said.", max_length=2000)]
Size = Annotated[
    int,
    Meta(description="The most characters of the answer.", ge=CHARACTERS_LEAST, le=CHARACTERS_MOST),
]
IncidentId = Annotated[str, Meta(description="An incident's id, as in INC-12.", max_length=40)]
EventId = Annotated[
    str, Meta(description="An event's id, as in error_20261123_k3v9x2m7q4w8r1t6.", max_length=100)
]
Service = Annotated[str, Meta(description="A service's name; empty: every service.", max_length=200)]
Release = Annotated[str, Meta(description="A release's name, as services report it.", max_length=200)]


class FindIncidents(Struct, frozen=True, forbid_unknown_fields=True):
    """The arguments of ``find_incidents``."""

    query: Query = ""
    sort: Order = "last"
    limit: Rows = 20
    cursor: Cursor = ""


class ShowIncident(Struct, frozen=True, forbid_unknown_fields=True):
    """The arguments of ``show_incident``."""

    id: IncidentId
    characters: Size = CHARACTERS


class FindEvents(Struct, frozen=True, forbid_unknown_fields=True):
    """The arguments of ``find_events``."""

    query: Query = ""
    incident: Annotated[str, Meta(description="Only events of this incident.", max_length=40)] = ""
    limit: Rows = 20
    cursor: Cursor = ""


class ShowEvent(Struct, frozen=True, forbid_unknown_fields=True):
    """The arguments of ``show_event``."""

    id: EventId
    characters: Size = CHARACTERS


class CompareEvents(Struct, frozen=True, forbid_unknown_fields=True):
    """The arguments of ``compare_events``."""

    first: EventId
    second: EventId
    characters: Size = CHARACTERS


class NewInRelease(Struct, frozen=True, forbid_unknown_fields=True):
    """The arguments of ``new_in_release``."""

    release: Release
    service: Service = ""


class ListLosses(Struct, frozen=True, forbid_unknown_fields=True):
    """The arguments of ``list_losses``."""

    service: Service = ""


async def _find_incidents(door: Door, asked: FindIncidents) -> str:
    parameters: Parameters = {
        "query": asked.query,
        "sort": asked.sort,
        "limit": asked.limit,
        "cursor": asked.cursor or None,
    }
    document = await door.read("incidents", parameters=parameters)
    listed = incident_list(document["incidents"], more=document["next_cursor"] is not None)
    return _with_cursor(listed, document["next_cursor"])


async def _show_incident(door: Door, asked: ShowIncident) -> str:
    return await door.report("incidents", asked.id, "report", parameters={"characters": asked.characters})


async def _find_events(door: Door, asked: FindEvents) -> str:
    parameters: Parameters = {
        "query": asked.query,
        "incident": asked.incident or None,
        "limit": asked.limit,
        "cursor": asked.cursor or None,
    }
    document = await door.read("events", parameters=parameters)
    listed = event_list(document["events"], more=document["next_cursor"] is not None)
    return _with_cursor(listed, document["next_cursor"])


async def _show_event(door: Door, asked: ShowEvent) -> str:
    return await door.report("events", asked.id, "report", parameters={"characters": asked.characters})


async def _compare_events(door: Door, asked: CompareEvents) -> str:
    path = ("events", asked.first, "compare", asked.second)
    return await door.report(*path, parameters={"characters": asked.characters})


async def _new_in_release(door: Door, asked: NewInRelease) -> str:
    terms = {"first-release": asked.release, "service": asked.service}
    query = " ".join(f"{key}:{_quoted(value)}" for key, value in terms.items() if value)
    parameters: Parameters = {"query": query, "sort": "first", "limit": NEW_MOST}
    document = await door.read("incidents", parameters=parameters)
    return incident_list(document["incidents"], more=document["next_cursor"] is not None)


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


async def _list_losses(door: Door, asked: ListLosses) -> str:
    parameters: Parameters = {"service": asked.service or None, "limit": 1000}
    document = await door.read("producers", parameters=parameters)
    losses = loss_list(document["producers"], more=document["next_cursor"] is not None)
    narrowed: Parameters = {"service": asked.service or None, "limit": SERVICES_MOST}
    found = await door.read("producers", "services", parameters=narrowed)
    more = found["next_cursor"] is not None
    clients = client_list(found["services"], more=more, most=CHARACTERS // 4)
    return f"{losses}\n{clients}" if clients else losses


def _with_cursor(listed: str, cursor: str | None) -> str:
    return listed if cursor is None else f"{listed}\nThe next page has cursor: {cursor}\n"


READING: Final = (
    Tool(
        name="find_incidents",
        title="Find incidents",
        description=(
            "List incidents (groups of the same error) that match a query, in an order: id, "
            "severity, state, number of events, service, first and last time, title. Begin here."
        ),
        arguments=FindIncidents,
        run=_find_incidents,
    ),
    Tool(
        name="show_incident",
        title="Show one incident whole",
        description=(
            "One incident whole: its state in a sentence, the newest trace that is kept with source lines, "
            "where it was seen, breadcrumbs, request and context, why its events are one, its history."
        ),
        arguments=ShowIncident,
        run=_show_incident,
    ),
    Tool(
        name="find_events",
        title="Find events",
        description="List single events that match a query or belong to one incident, the newest first.",
        arguments=FindEvents,
        run=_find_events,
    ),
    Tool(
        name="show_event",
        title="Show one event",
        description="One event whole, by the id that a user was told or a list gave.",
        arguments=ShowEvent,
        run=_show_event,
    ),
    Tool(
        name="compare_events",
        title="Compare two events",
        description="Say why two events are in one incident or in two, key part by key part.",
        arguments=CompareEvents,
        run=_compare_events,
    ),
    Tool(
        name="new_in_release",
        title="List what is new in a release",
        description="List the incidents that a release was the first to have, the last begun first.",
        arguments=NewInRelease,
        run=_new_in_release,
    ),
    Tool(
        name="list_losses",
        title="List what was lost",
        description=(
            "List the producers that went quiet, or of which events are missing or were lost; and the client "
            "libraries of services (SDKs by version), with what they say they lost and what is not stored."
        ),
        arguments=ListLosses,
        run=_list_losses,
    ),
    LIST_SILENCES,
    *READING_RULES,
)
"""Every tool that changes nothing."""
