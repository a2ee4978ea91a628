"""Server-sent events under ``/api/v1/changes``: which incident changed, and how."""

import asyncio
import time
from typing import Final

import msgspec
from aiohttp import web

from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.domain.incident_name import KEY_MAX, incident_name
from faultwire_consumer.store.events.changes import Change, read_changes
from faultwire_consumer.web.access.declared import AccessRoutes
from faultwire_consumer.web.api.change_feed import FEED, READ_MAX, Listener, TooManyListenersError
from faultwire_consumer.web.openapi.answer import EVENT_STREAM, GivenAnswer
from faultwire_consumer.web.openapi.operation import describe
from faultwire_consumer.web.parameter import Parameters
from faultwire_consumer.web.request import API_PREFIX
from faultwire_consumer.web.state import STORE
from faultwire_shared.taxonomy import FieldError, ValidationError

HEARTBEAT_SECONDS: Final = 15.0
WRITE_SECONDS: Final = 20.0
"""Who takes nothing for so long is let go."""
LIFE_SECONDS: Final = 600.0
"""Then who listens has to come back, and to be let in again."""
MISSED_MAX: Final = 10_000
"""Who missed more is told to ask for the lists anew."""
_LAST: Final = "Last-Event-ID"
_RESET: Final = b"event: reset\ndata: {}\n\n"
_HEARTBEAT: Final = b": nothing changed\n\n"

routes = AccessRoutes()

_STREAM: Final = GivenAnswer(
    content={EVENT_STREAM: None},
    about=(
        'Server-sent events "change", each with incident_id, kind, at, actor, before and after as JSON, and '
        f'an id: sent back as {_LAST}, what was missed comes first. "reset" says that too much was missed: '
        "ask for the lists anew. It ends after ten minutes, when the worker ends, or when too much waits "
        "to be taken."
    ),
)


def _read_last_id(parameters: Parameters) -> int | None:
    return parameters.row_number(
        "last_event_id",
        f"The id of the last change that was seen, where a stream is opened anew; {_LAST} comes before it.",
    )


@routes.get(f"{API_PREFIX}/changes", access=AccessScope.READ)
@describe(reads=_read_last_id, answers=_STREAM, raises=[TooManyListenersError])
async def follow_changes(request: web.Request, last_event_id: int | None) -> web.StreamResponse:
    """Changes of incidents from now on, or from one that was seen, as server-sent events."""
    feed, repeated = request.app[FEED], _last_id_of(request)
    missed_since = last_event_id if repeated is None else repeated
    listener, last = await feed.join()
    try:
        response = web.StreamResponse(headers={"Content-Type": EVENT_STREAM, "X-Accel-Buffering": "no"})
        try:
            await response.prepare(request)
            await _send(response, b"retry: 2000\n\n")
            sent = await _send_missed(request, response, missed_since, last)
            await _send_live(response, listener, sent)
        except (TimeoutError, ConnectionError):
            response.force_close()
        return response
    finally:
        feed.leave(listener)


async def _send_missed(
    request: web.Request, response: web.StreamResponse, since: int | None, last: int
) -> set[int]:
    """Send what came after the last that was seen, up to what the listener is told; the numbers sent."""
    if since is None or since >= last:
        return set()
    if last - since > MISSED_MAX:
        await _send(response, _RESET)
        return set()
    sent: set[int] = set()
    while found := await read_changes(request.app[STORE], after=since, limit=READ_MAX):
        await _send(response, b"".join(event_of(change) for change in found))
        sent |= {change.id for change in found}
        since = found[-1].id
    return sent


async def _send_live(response: web.StreamResponse, listener: Listener, sent: set[int]) -> None:
    until = time.monotonic() + LIFE_SECONDS
    while time.monotonic() < until:
        try:
            change = await listener.take(HEARTBEAT_SECONDS)
        except TimeoutError:
            await _send(response, _HEARTBEAT)
            continue
        if change is None:
            return
        if change.id not in sent:
            await _send(response, event_of(change))


async def _send(response: web.StreamResponse, text: bytes) -> None:
    async with asyncio.timeout(WRITE_SECONDS):
        await response.write(text)


def event_of(change: Change) -> bytes:
    """Return a change as a server-sent event; JSON has no line break of its own."""
    document = msgspec.json.encode(
        {
            "incident_id": incident_name(change.incident_id),
            "kind": change.reason,
            "at": change.at,
            "actor": change.actor,
            "before": change.before,
            "after": change.after,
        }
    )
    return b"id: %d\nevent: change\ndata: %b\n\n" % (change.id, document)


def _last_id_of(request: web.Request) -> int | None:
    """Return the number of the last change that was seen; None where it is not said.

    Raises:
        ValidationError: it is none of ours.
    """
    text = request.headers.get(_LAST, "")
    if not text:
        return None
    if text.isascii() and text.isdigit() and len(text) <= 19 and int(text) <= KEY_MAX:
        return int(text)
    raise ValidationError(errors=[FieldError(_LAST, "the id of a change, as it was sent")])
