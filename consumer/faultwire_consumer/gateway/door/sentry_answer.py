"""Answers to Sentry's SDKs: none of them ever tries again, so what is refused is lost."""

from typing import Any, Final

import msgspec
from aiohttp import hdrs, web

from faultwire_consumer.gateway.door.refusal import RefusedRequestError
from faultwire_consumer.gateway.sentry.limits import RATE_LIMITS, UNSUPPORTED

ERROR_HEADER: Final = "X-Sentry-Error"
_TOO_MANY: Final = 429
_JSON: Final = "application/json"


def taken(event_id: str | None) -> web.Response:
    """Say that all is kept, or left out on purpose, and what need not be sent again.

    Args:
        event_id: of the request's event, in 32 hex digits; None where it held none.
    """
    told = {"id": event_id} if event_id else {}
    response = _json(200, told)
    response.headers[RATE_LIMITS] = UNSUPPORTED
    return response


class SentryTongue:
    """Refusals as SDKs read them."""

    def refuse(self, _: web.Request, error: RefusedRequestError) -> web.Response:
        """Say why nothing is taken."""
        return _refused(error)

    def fail(self, _: web.Request) -> web.Response:
        """Say that the gateway itself failed on a request, which lost nothing but that."""
        return _json(500, {"detail": "the gateway failed on this request"})


def _refused(error: RefusedRequestError) -> web.Response:
    """``Retry-After`` goes with 429 alone: JavaScript obeys it on any status."""
    told: dict[str, Any] = {"detail": error.detail}
    if error.causes:
        told["causes"] = list(error.causes)
    response = _json(error.status, told)
    response.headers[ERROR_HEADER] = error.detail
    if error.allowed:
        response.headers[hdrs.ALLOW] = error.allowed
    if error.status == _TOO_MANY and error.retry_after_seconds:
        seconds = error.retry_after_seconds
        response.headers[hdrs.RETRY_AFTER] = str(seconds)
        response.headers[RATE_LIMITS] = f"{seconds}:error;default:organization:{error.reason},{UNSUPPORTED}"
    return response


def _json(status: int, told: dict[str, Any]) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(told), content_type=_JSON)
