"""The HTTP intake in front of a broker: it publishes, and 202 is the broker's confirm."""

from typing import Any, Final

import msgspec
from aiohttp import web

from faultwire.publish.transport import Busy, Refused, TransportDown
from faultwire_consumer.ingest.read.narrow import event_id_in
from faultwire_consumer.ingest.receive.broker_door import BrokerDoor
from faultwire_consumer.ingest.receive.http import (
    Intake,
    IntakeUnavailableError,
    answer_with,
    read_body,
    refuse_too_many,
    severity_in,
)
from faultwire_consumer.serving.refusal import MalformedBodyError
from faultwire_shared.codec import PRODUCER_TYPE, Undecodable, split
from faultwire_shared.event import Category
from faultwire_shared.json_text import UNREADABLE
from faultwire_shared.topology import report_key, routing_key

APP_ID: Final = "faultwire-intake"


class _Envelope(msgspec.Struct, frozen=True):
    category: Any = None
    service: Any = None


_envelope: Final = msgspec.json.Decoder(_Envelope)


def publishing_intake(door: BrokerDoor) -> Intake:
    """Make the handler of ``POST /ingest/v1/events`` in front of a broker.

    A request becomes one message, unchanged, under the key of its most severe event.
    """

    async def handle(request: web.Request) -> web.Response:
        body, message_type = await read_body(request)
        try:
            events = [bytes(raw) for raw in split(body, message_type)]
        except Undecodable as error:
            refuse_too_many(error)
            raise MalformedBodyError(str(error)) from None
        ids = [event_id_in(event) for event in events]
        if events:
            try:
                await door.publish(
                    body,
                    message_type=message_type,
                    routing_key=_key_of(events, message_type),
                    event_id=ids[0] if len(ids) == 1 else None,
                )
            except (TransportDown, Busy, Refused) as error:
                raise IntakeUnavailableError(f"the broker did not accept the events: {error}") from None
        return answer_with([{"id": event_id, "status": "accepted"} for event_id in ids])

    return handle


def _key_of(events: list[bytes], message_type: str) -> str:
    worst = max(events, key=lambda event: severity_in(event).rank)
    try:
        envelope = _envelope.decode(worst)
    except UNREADABLE:
        envelope = _Envelope()
    service = envelope.service if isinstance(envelope.service, str) and envelope.service else "unknown"
    if message_type == PRODUCER_TYPE:
        return report_key(service)
    category = envelope.category if envelope.category in set(Category) else Category.SYSTEM
    return routing_key(severity_in(worst), Category(category), service)
