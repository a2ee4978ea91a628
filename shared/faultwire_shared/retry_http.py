"""An HTTP session that repeats what may be repeated, as aiohttp client middleware."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import aiohttp

from faultwire_shared.redact import redact_url
from faultwire_shared.retry import doubling_delays

RETRIES: Final = 3
"""After the first try."""
STATUSES: Final = frozenset((429, 500, 502, 503, 504))
METHODS: Final = frozenset(("HEAD", "GET", "PUT", "DELETE", "OPTIONS", "TRACE"))
"""What RFC 9110 calls idempotent: doing it twice is doing it once."""
KEYED_METHODS: Final = frozenset(("POST", "PATCH"))
"""Repeated only with an ``Idempotency-Key``, by which the server tells a repetition (IETF draft)."""
FIRST_SECONDS: Final = 1.0
RETRY_AFTER_SECONDS: Final = 60.0
"""A server that asks for a longer wait gets none: its answer goes to the caller, who knows better."""
TIMEOUT: Final = aiohttp.ClientTimeout(total=300, sock_connect=10, sock_read=30)
"""Each try has 10 s to connect and 30 s between two pieces of the answer, all together have 300 s."""

_CONNECTION_ERRORS: Final = aiohttp.ClientConnectionError
_LASTING: Final = (aiohttp.ClientConnectorCertificateError, aiohttp.ServerFingerprintMismatch)
"""Connection errors that the next try would meet again."""

logger = logging.getLogger("faultwire.retry")


def _now() -> datetime:
    return datetime.now(UTC)


class RetryMiddleware:
    """Up to three tries more after 429, 500, 502, 503, 504 and connection errors.

    ``Retry-After`` decides the wait (in seconds or as a date, up to a minute); without one the waits
    are 1, 2 and 4 s, each drawn between its half and its whole. At the end the last answer is
    returned, or the last connection error raised. A body that can be read only once is sent once.

    Args:
        sleep: waits so many seconds.
        clock: the time in UTC, against which a date in ``Retry-After`` is held.
        rng: the chance in the waits.
    """

    def __init__(
        self,
        *,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        clock: Callable[[], datetime] = _now,
        rng: random.Random | None = None,
    ) -> None:
        self._sleep = sleep
        self._clock = clock
        self._rng = rng or random.Random()  # noqa: S311 - spreads waits, keeps no secret

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Send the request, and again where that may help."""
        if not may_repeat(request):
            return await handler(request)
        delays = doubling_delays(FIRST_SECONDS)
        for tries_left in range(RETRIES, -1, -1):
            delay = next(delays)
            wait = self._rng.uniform(delay / 2, delay)
            try:
                response = await handler(request)
            except _CONNECTION_ERRORS as error:
                if isinstance(error, _LASTING) or not tries_left or _is_spent(request):
                    raise
                why = type(error).__name__
            else:
                if response.status not in STATUSES or not tries_left or _is_spent(request):
                    return response
                asked = retry_after(response.headers.get("Retry-After"), now=self._clock())
                wait = wait if asked is None else asked
                if wait > RETRY_AFTER_SECONDS:
                    return response
                response.release()
                why = str(response.status)
            await request.close()  # the body's writer must be done before the body is read again
            _tell(request, why, wait)
            await self._sleep(wait)
        raise AssertionError("the last try returns or raises")


def create_robust_session(**client_session_arguments: Any) -> aiohttp.ClientSession:
    """An ``aiohttp.ClientSession`` whose requests are repeated by `RetryMiddleware`.

    Takes what ``ClientSession`` takes. Middlewares given here run in every try. Without a
    ``timeout`` each try has 10 s to connect and 30 s of silence, and all together have 300 s; a
    ``total`` of your own holds for all tries and the waits between them.
    """
    own = tuple(client_session_arguments.pop("middlewares", ()))
    client_session_arguments.setdefault("timeout", TIMEOUT)
    session = aiohttp.ClientSession(middlewares=(RetryMiddleware(), *own), **client_session_arguments)
    # aiohttp repeats by itself what failed on a kept connection, around the middlewares: each of
    # its repetitions would bring four tries more.
    session._retry_connection = False  # noqa: SLF001 - it has no public switch; aiohttp's own test client does the same
    return session


def may_repeat(request: aiohttp.ClientRequest) -> bool:
    """Whether a second arrival of this request does no harm."""
    if request.method in KEYED_METHODS:
        return "Idempotency-Key" in request.headers
    return request.method in METHODS


def retry_after(header: str | None, *, now: datetime) -> float | None:
    """Seconds to wait by a ``Retry-After`` header (RFC 9110, 10.2.3); None where it says nothing."""
    if header is None:
        return None
    header = header.strip()
    if header.isascii() and header.isdigit():
        return float(header)
    try:
        at = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return None
    return max(0.0, ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds())


def _is_spent(request: aiohttp.ClientRequest) -> bool:
    """Whether the body was a stream that cannot be read again."""
    return bool(getattr(request.body, "consumed", False))


def _tell(request: aiohttp.ClientRequest, why: str, wait: float) -> None:
    operation = f"{request.method} {redact_url(str(request.url))}"
    extra = {"event": "operation.retried", "operation": operation, "error": why}
    logger.info(
        "operation.retried operation=%s error=%s again_in_seconds=%.1f", operation, why, wait, extra=extra
    )
