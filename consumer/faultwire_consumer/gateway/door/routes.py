"""The gateway's addresses: before ``/api/`` or ``/v1/`` stands a prefix of the sender's own choice."""

from collections.abc import Iterator
from typing import Final

from aiohttp import web
from msgspec import Struct

from faultwire_consumer.gateway.door.answering import Take, answering
from faultwire_consumer.gateway.door.otlp import OtlpDoors
from faultwire_consumer.gateway.door.otlp_answer import OtlpTongue
from faultwire_consumer.gateway.door.refusal import RefusedRequestError
from faultwire_consumer.gateway.door.sentry import SentryDoors
from faultwire_consumer.gateway.door.sentry_answer import SentryTongue
from faultwire_consumer.gateway.door.supplies import DoorSupplies

_PREFIX: Final = "/{prefix:(?:.*/)?}"
_SLASH: Final = "{slash:/?}"
_PROJECT: Final = f"{_PREFIX}api/{{project:[^/]+}}"


class GatewayRoute(Struct, frozen=True):
    """An address for every method, and who answers there."""

    path: str
    handler: Take


def gateway_routes(supplies: DoorSupplies) -> Iterator[GatewayRoute]:
    """Yield the gateway's addresses; those that come first win."""
    yield from _otlp_routes(supplies)
    yield from _sentry_routes(supplies)


def _otlp_routes(supplies: DoorSupplies) -> Iterator[GatewayRoute]:
    doors, tongue = OtlpDoors(supplies), OtlpTongue()
    signals = {"logs": doors.take_logs, "traces": doors.take_traces, "metrics": doors.take_metrics}
    for signal, take in signals.items():
        handler = answering(take, supplies.observer, tongue)
        yield GatewayRoute(f"{_PROJECT}/integration/otlp/v1/{signal}{_SLASH}", handler)
        yield GatewayRoute(f"{_PREFIX}v1/{signal}{_SLASH}", handler)


def _sentry_routes(supplies: DoorSupplies) -> Iterator[GatewayRoute]:
    doors, observer, tongue = SentryDoors(supplies), supplies.observer, SentryTongue()
    store = answering(doors.take_store, observer, tongue)
    yield GatewayRoute(f"{_PROJECT}/envelope{_SLASH}", answering(doors.take_envelope, observer, tongue))
    yield GatewayRoute(f"{_PROJECT}/store{_SLASH}", store)
    yield GatewayRoute(f"{_PREFIX}api/store{_SLASH}", store)
    yield GatewayRoute(f"{_PROJECT}/security{_SLASH}", answering(doors.take_reports, observer, tongue))
    nothing = answering(_take_nothing, observer, tongue, method=None)
    yield GatewayRoute(f"{_PREFIX}api/embed/error-page{_SLASH}", nothing)
    yield GatewayRoute(f"{_PREFIX}api/{{project:[0-9]+}}/{{rest:.*}}", nothing)


async def _take_nothing(_: web.Request) -> web.StreamResponse:
    """Refuse what other servers of the protocol have: a page's form, minidumps, files of releases.

    Raises:
        RefusedRequestError: always. A 200 in place of the form's script would be an error in the page.
    """
    raise RefusedRequestError(404, "there is no such thing here", reason="not_found")
