"""Stored events as this release would group them, page by page; nothing is changed."""

from collections.abc import Sequence

from aiohttp import web
from msgspec import Struct

from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.domain.fingerprint import VERSION
from faultwire_consumer.domain.incident_name import incident_name
from faultwire_consumer.domain.regrouping import Move, add_up
from faultwire_consumer.ingest.read.grouping import Grouped, Grouper, earlier_key
from faultwire_consumer.ingest.read.narrow import decode_narrow
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.events.export import ExportedEvent, find_incidents
from faultwire_consumer.web.access.declared import AccessRoutes
from faultwire_consumer.web.api.event_page import EventsAsked, event_page_asked, read_event_page
from faultwire_consumer.web.openapi.operation import describe
from faultwire_consumer.web.parameter import Paged
from faultwire_consumer.web.request import API_PREFIX, json_answer
from faultwire_consumer.web.state import STORE
from faultwire_shared.codec import Undecodable

routes = AccessRoutes()


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


@routes.get(f"{API_PREFIX}/events/regroup", access=AccessScope.READ)
@describe(reads=event_page_asked, answers=RegroupPage)
async def regroup_events(request: web.Request, asked: Paged[EventsAsked]) -> web.Response:
    """Events by the fingerprint that they have and the one that they would have."""
    page = await read_event_page(request, asked)
    grouped = group_anew(page.events)
    store = request.app[STORE]
    known = await find_incidents(store, {one.fingerprint.key for _, one in grouped})
    known |= await _find_earlier(store, [pair for pair in grouped if pair[1].fingerprint.key not in known])
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


async def _find_earlier(store: Store, unknown: Sequence[tuple[ExportedEvent, Grouped]]) -> dict[bytes, int]:
    """Find the incidents that new fingerprints will join: those that the version before opened for them."""
    keys: dict[bytes, bytes] = {}
    for event, one in unknown:
        if (by := earlier_key(event.doc or b"")) is not None:
            keys.setdefault(one.fingerprint.key, by)
    incidents = await find_incidents(store, set(keys.values()), below_version=VERSION)
    return {key: incidents[by] for key, by in keys.items() if by in incidents}


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
