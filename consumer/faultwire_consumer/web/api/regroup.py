"""Stored events as this release would group them, page by page; nothing is changed."""

from collections.abc import Sequence

from aiohttp import web
from msgspec import Struct

from faultwire_consumer.domain.fingerprint import VERSION
from faultwire_consumer.domain.incident_name import incident_name
from faultwire_consumer.domain.regrouping import Move, add_up
from faultwire_consumer.ingest.read.grouping import Grouped, Grouper
from faultwire_consumer.ingest.read.narrow import decode_narrow
from faultwire_consumer.store.events.export import ExportedEvent, find_incidents
from faultwire_consumer.web.api.event_page import read_event_page
from faultwire_consumer.web.request import API_PREFIX, json_answer
from faultwire_consumer.web.state import STORE
from faultwire_shared.codec import Undecodable

routes = web.RouteTableDef()


class RegroupPage(Struct, frozen=True, kw_only=True):
    """A page of events that were grouped again, with those that would move."""

    version: int
    """Of the algorithm that was asked."""
    events: int
    left_out: int
    """Whose body was not kept."""
    unreadable: int
    """Whose body this release cannot read."""
    moves: list[Move]
    next_cursor: str | None


@routes.get(f"{API_PREFIX}/events/regroup")
async def regroup_events(request: web.Request) -> web.Response:
    """Events by the fingerprint that they have and the one that they would have."""
    page = await read_event_page(request)
    grouped = group_anew(page.events)
    known = await find_incidents(request.app[STORE], {one.fingerprint.key for _, one in grouped})
    moves = add_up(_move(event, one, known.get(one.fingerprint.key)) for event, one in grouped)
    return json_answer(
        RegroupPage(
            version=VERSION,
            events=len(grouped),
            left_out=page.left_out,
            unreadable=len(page.events) - len(grouped),
            moves=moves,
            next_cursor=page.next_cursor,
        )
    )


def group_anew(events: Sequence[ExportedEvent]) -> list[tuple[ExportedEvent, Grouped]]:
    """Each event that can be read, with its group by this release."""
    grouper = Grouper()
    found = []
    for event in events:
        try:
            found.append((event, grouper.group(decode_narrow(event.doc or b""))))
        except Undecodable:
            continue
    return found


def _move(event: ExportedEvent, grouped: Grouped, new_incident: int | None) -> Move:
    return Move(
        fingerprint=event.fingerprint.hex(),
        incident_id=incident_name(event.incident_id),
        new_fingerprint=grouped.fingerprint.key.hex(),
        new_incident_id=None if new_incident is None else incident_name(new_incident),
        title=grouped.title,
        events=1,
        count=event.count,
        example=event.event_id,
    )
