"""The HTTP intake: a request is a delivery like any other, and 202 is its ack, sent after the commit."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import msgspec
from aiohttp import web

from faultwire_consumer.domain.outcome import Outcome, Retry, must_return, result_of
from faultwire_consumer.ingest.read.delivery import IMPORT, Delivery, DeliveryQueue, read_delivery
from faultwire_consumer.ingest.receive.sender import allowance_of
from faultwire_consumer.ingest.receive.settlement import IntakeHandle, give_back
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.serving.body import read_whole_body
from faultwire_consumer.serving.refusal import (
    AnnouncedError,
    MalformedBodyError,
    TooManyEventsError,
    UnsupportedMediaTypeError,
)
from faultwire_shared.codec import BATCH_TYPE, EVENT_TYPE, PRODUCER_TYPE, Undecodable, UndecodableReason
from faultwire_shared.event import ErrorSeverity, Lane
from faultwire_shared.json_text import BOM, UNREADABLE, is_deep, mend_surrogates

ORIGIN: Final = "http"
WAITING_DELIVERIES: Final = 256
"""Maximum of waiting requests per lane; a body has 256 KiB at most, so this bounds the memory."""
ANSWER_SECONDS: Final = 30.0

Intake = Callable[[web.Request], Awaitable[web.Response]]


class IntakeUnavailableError(AnnouncedError):
    """The events could not be kept now; none of the request was, and it can be sent again."""

    code = "INTAKE_UNAVAILABLE"
    retry_after_seconds: int = 5


class _Severity(msgspec.Struct, frozen=True):
    severity: Any = None


_severity: Final = msgspec.json.Decoder(_Severity)


class IntakeReceiver:
    """One lane of the intake."""

    def __init__(self, lane: Lane, *, metrics: Metrics) -> None:
        self.lane = lane
        self._metrics = metrics
        self._queue = DeliveryQueue()
        self._receiving = True
        self._closed = asyncio.Event()

    @property
    def receiving(self) -> bool:
        """True while requests are accepted."""
        return self._receiving

    @property
    def why_idle(self) -> str:
        """Reason why requests are not accepted; empty while they are."""
        if self._receiving:
            return ""
        return "it is being stopped" if self._queue.is_closed else "it waits for the store"

    @property
    def waiting(self) -> int:
        """Number of deliveries that wait for their batch."""
        return len(self._queue)

    @property
    def oldest(self) -> Delivery | None:
        """Delivery that has waited longest for its batch."""
        return self._queue.oldest

    async def run(self) -> None:
        """Wait for the end: the requests come on their own."""
        await self._closed.wait()

    async def ingest(self, delivery: Delivery) -> list[Outcome]:
        """Put a request's delivery into the lane and wait for the outcomes of its events."""
        if not self._receiving or len(self._queue) >= WAITING_DELIVERIES:
            return [Retry("the intake accepts nothing now")]
        self._queue.put(delivery)
        try:
            return await asyncio.wait_for(asyncio.shield(delivery.handle.answer), ANSWER_SECONDS)
        except TimeoutError:
            return [Retry("the store did not answer in time")]

    async def collect(self, *, size: int, linger: float) -> list[Delivery]:
        """Return the next batch of this lane."""
        batch = await self._queue.collect(size=size, linger=linger)
        self._metrics.events_received.labels(lane=self.lane).inc(
            sum(max(1, len(delivery.events)) for delivery in batch)
        )
        return batch

    async def pause(self) -> None:
        """Answer waiting requests with "later", and every new one too."""
        self._receiving = False
        await give_back(self._queue.clear(), "paused", metrics=self._metrics)

    async def resume(self) -> None:
        """Accept requests again."""
        self._receiving = True

    async def stop(self) -> None:
        """Accept no new requests; those that wait are still answered."""
        self._receiving = False
        self._queue.close()

    async def close(self) -> None:
        """End `run`."""
        self._closed.set()


def storing_intake(receivers: Sequence[IntakeReceiver]) -> Intake:
    """Build the handler of ``POST /ingest/v1/events`` for a worker without a broker: it stores."""
    lanes = {receiver.lane: receiver for receiver in receivers}

    async def handle(request: web.Request) -> web.Response:
        body, message_type = await read_body(request)
        answer: asyncio.Future[list[Outcome]] = asyncio.get_running_loop().create_future()
        origin = IMPORT if IMPORT in request.query else ORIGIN
        handle, allowance = IntakeHandle(answer), allowance_of(request)
        delivery = read_delivery(body, message_type, origin=origin, handle=handle, allowance=allowance)
        if delivery.fault is not None:
            refuse_too_many(delivery.fault)
        outcomes = await lanes[lane_of(delivery)].ingest(delivery)
        if must_return(outcomes):
            raise IntakeUnavailableError("the events were not kept; send them again")
        return answer_with([result_of(outcome) for outcome in outcomes])

    return handle


async def read_body(request: web.Request) -> tuple[bytes, str]:
    """Read the body of an intake request, and the message type from its shape.

    Raises:
        UnsupportedMediaTypeError: not JSON by its headers.
        MalformedBodyError: not JSON by its content.
        ClientGoneError, ValidationError, WorkerBusyError: as `read_whole_body` does.
    """
    media_type = request.content_type if "Content-Type" in request.headers else "application/json"
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise UnsupportedMediaTypeError(f"send events as application/json, not as {media_type}")
    body = _readable((await read_whole_body(request, may_be_encoded=True)).removeprefix(BOM))
    return body, message_type_of(body)


def _readable(body: bytes) -> bytes:
    """Return a body that is JSON, or nested so deeply that its events have to be judged one by one."""
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except UNREADABLE as error:
        if (mended := mend_surrogates(body)) != body:
            return _readable(mended)
        if not is_deep(body):
            raise MalformedBodyError(f"the body is not JSON: {error}") from None
    return body


def refuse_too_many(fault: Undecodable) -> None:
    """Refuse a body that a sender only has to send in parts.

    Raises:
        TooManyEventsError: it has too many events.
    """
    if fault.reason is UndecodableReason.TOO_MANY:
        raise TooManyEventsError(fault.detail) from None


class _Report(msgspec.Struct, frozen=True):
    producer_id: str
    last_sequence: int
    id: Any = None


_report: Final = msgspec.json.Decoder(_Report)


def message_type_of(body: bytes) -> str:
    """Determine the message type of a JSON body by its shape: HTTP has no field for it."""
    if body.lstrip()[:1] == b"[":
        return BATCH_TYPE
    if b'"last_sequence"' in body:
        try:
            if _report.decode(body).id is None:
                return PRODUCER_TYPE
        except UNREADABLE:
            return EVENT_TYPE
    return EVENT_TYPE


def lane_of(delivery: Delivery) -> Lane:
    """Return the lane of a request's most severe event; an unreadable one is routine."""
    ranks = [severity_in(bytes(raw)).rank for raw in delivery.events]
    return ErrorSeverity.from_rank(max(ranks, default=1)).lane


def severity_in(raw: bytes) -> ErrorSeverity:
    """Read the severity that a raw event names; low if it cannot be read."""
    try:
        value = _severity.decode(raw).severity
    except UNREADABLE:
        return ErrorSeverity.LOW
    return ErrorSeverity.parse(value)[0] if isinstance(value, str | int) else ErrorSeverity.LOW


def answer_with(results: list[dict[str, Any]]) -> web.Response:
    """Build a 202: every event of the request is kept, each with its result."""
    return web.Response(
        status=202, body=msgspec.json.encode({"results": results}), content_type="application/json"
    )
