"""The intake's description: ``POST /ingest/v1/events``, whose handler belongs to ingest."""

from typing import Annotated, Final

from aiohttp.typedefs import Handler
from msgspec import UNSET, Meta, Struct, UnsetType

from faultwire_consumer.ingest.read.delivery import IMPORT
from faultwire_consumer.ingest.receive.http import IntakeUnavailableError
from faultwire_consumer.serving.refusal import MalformedBodyError, TooManyEventsError
from faultwire_consumer.web.openapi.answer import GivenAnswer
from faultwire_consumer.web.openapi.operation import Operation, attach
from faultwire_consumer.web.parameter import Parameters, notes_of
from faultwire_shared.error_body import JSON_TYPE
from faultwire_shared.event import Event
from faultwire_shared.producer_report import ProducerReport


class EventResult(Struct, frozen=True, kw_only=True):
    """The outcome of one event of a request."""

    id: str | None
    status: Annotated[
        str, Meta(description="stored, duplicate, dead_lettered, noted, or accepted by the broker")
    ]
    reason: str | UnsetType = UNSET
    detail: str | UnsetType = UNSET
    producer_id: str | UnsetType = UNSET


class IntakeAnswer(Struct, frozen=True):
    """The outcomes, in the order of the request's events."""

    results: tuple[EventResult, ...]


_KEPT: Final = GivenAnswer(
    status=202,
    content={JSON_TYPE: IntakeAnswer},
    about="Every event is kept: what could not be stored is a dead letter.",
)


def describe_intake(intake: Handler) -> Handler:
    """Return the handler with its description; it reads for itself, as events need no well-formed request."""
    operation = Operation(
        summary="Take events in: one, up to 1,000 as an array, or a producer's report.",
        parameters=notes_of(_read),
        body=(Event, list[Event], ProducerReport),
        body_required=True,
        answers=(_KEPT,),
        raises=(MalformedBodyError, TooManyEventsError, IntakeUnavailableError),
    )
    return attach(intake, operation)


def _read(parameters: Parameters) -> None:
    parameters.flag(IMPORT, "These events are old: nobody is to be notified of them.")
