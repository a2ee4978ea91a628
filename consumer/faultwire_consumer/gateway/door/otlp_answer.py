"""Answers to exporters of OpenTelemetry: they repeat a batch on 503, and on nothing else in each version."""

from collections.abc import Mapping
from typing import Final

from aiohttp import hdrs, web

from faultwire_consumer.gateway.door.refusal import BUSY_SECONDS, RefusedRequestError
from faultwire_consumer.gateway.otlp.answer import StatusCode, status_body
from faultwire_consumer.gateway.otlp.kind import BodyKind, body_kind

UNAVAILABLE: Final = 503
_LATER: Final = (408, 429, 503)
"""What is told as 503: Python's exporter of 2024 drops a batch on 429."""
_CODES: Final[Mapping[int, StatusCode]] = {
    401: StatusCode.UNAUTHENTICATED,
    403: StatusCode.PERMISSION_DENIED,
    UNAVAILABLE: StatusCode.UNAVAILABLE,
}


def taken(kind: BodyKind, body: bytes) -> web.Response:
    """Say that a batch is kept, but for what the body says."""
    return web.Response(body=body, content_type=kind.value)


class OtlpTongue:
    """Refusals as exporters read them, in the kind of their own request."""

    def refuse(self, request: web.Request, error: RefusedRequestError) -> web.Response:
        """Say why nothing of a batch is taken."""
        return _refused(_kind_for(request), error)

    def fail(self, request: web.Request) -> web.Response:
        """Say that the gateway failed on a batch, so that it is not repeated: it would fail again."""
        return _with_status(_kind_for(request), 400, "the gateway failed on this batch")


def _kind_for(request: web.Request) -> BodyKind:
    return body_kind(request.headers.get(hdrs.CONTENT_TYPE, "")) or BodyKind.JSON


def _refused(kind: BodyKind, error: RefusedRequestError) -> web.Response:
    """``Retry-After`` is a second: an exporter that has less left of its ten drops the batch at once."""
    status = UNAVAILABLE if error.status in _LATER else error.status
    text = ": ".join((error.detail, *error.causes))
    response = _with_status(kind, status, text)
    if status == UNAVAILABLE:
        response.headers[hdrs.RETRY_AFTER] = str(BUSY_SECONDS)
    if error.allowed:
        response.headers[hdrs.ALLOW] = error.allowed
    return response


def _with_status(kind: BodyKind, status: int, text: str) -> web.Response:
    body = status_body(kind, _CODES.get(status, StatusCode.INVALID_ARGUMENT), text)
    return web.Response(status=status, body=body, content_type=kind.value)
