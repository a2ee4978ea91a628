"""The HTTP intake in front of a broker: it publishes, and 202 is the broker's confirm."""

from collections.abc import Sequence
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
from faultwire_consumer.ingest.receive.sender import allowance_of, headers_of
from faultwire_consumer.serving.refusal import MalformedBodyError
from faultwire_shared.codec import PRODUCER_TYPE, Undecodable, encode_batch, split
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

    A request becomes one message for each service in it, under the key of that one's most severe event. Of
    one service, as nearly all are, it is passed on unchanged.
    """

    async def handle(request: web.Request) -> web.Response:
        body, message_type = await read_body(request)
        try:
            events = [bytes(raw) for raw in split(body, message_type)]
        except Undecodable as error:
            refuse_too_many(error)
            raise MalformedBodyError(str(error)) from None
        headers = headers_of(allowance_of(request))
        by_service = _sort_by_service(events)
        try:
            for alike in by_service:
                ids = [event_id_in(event) for event in alike]
                await door.publish(
                    body if len(by_service) == 1 else encode_batch(alike),
                    message_type=message_type,
                    routing_key=_key_of(alike, message_type),
                    event_id=ids[0] if len(ids) == 1 else None,
                    headers=headers,
                )
        except (TransportDown, Busy, Refused) as error:
            raise IntakeUnavailableError(f"the broker did not accept the events: {error}") from None
        return answer_with([{"id": event_id_in(event), "status": "accepted"} for event in events])

    return handle


def _sort_by_service(events: Sequence[bytes]) -> list[list[bytes]]:
    by_service: dict[str, list[bytes]] = {}
    for event in events:
        by_service.setdefault(_service_in(_envelope_of(event)), []).append(event)
    return list(by_service.values())


def _envelope_of(event: bytes) -> _Envelope:
    try:
        return _envelope.decode(event)
    except UNREADABLE:
        return _Envelope()


def _service_in(envelope: _Envelope) -> str:
    return envelope.service if isinstance(envelope.service, str) and envelope.service else "unknown"


def _key_of(events: Sequence[bytes], message_type: str) -> str:
    worst = max(events, key=lambda event: severity_in(event).rank)
    envelope = _envelope_of(worst)
    service = _service_in(envelope)
    if message_type == PRODUCER_TYPE:
        return report_key(service)
    category = envelope.category if envelope.category in set(Category) else Category.SYSTEM
    return routing_key(severity_in(worst), Category(category), service)
