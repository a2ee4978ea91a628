"""An HTTP session that repeats requests if that is safe, as aiohttp client middleware."""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final, Unpack

import aiohttp

from faultwire_shared.clock import Clock, utc_now
from faultwire_shared.redact import redact_url
from faultwire_shared.resilience.attempt import Attempts, ErrorSink, give_up
from faultwire_shared.resilience.circuit import CircuitState
from faultwire_shared.resilience.circuit_breaker import CircuitBreaker, CircuitOpenError, Passage
from faultwire_shared.resilience.outage import STATUSES
from faultwire_shared.resilience.request_timeout import raising_timeout, ran_out
from faultwire_shared.resilience.session_argument import SessionArguments
from faultwire_shared.retry import doubling_delays

RETRIES: Final = 3
"""Further attempts after the first."""
METHODS: Final = frozenset(("HEAD", "GET", "PUT", "DELETE", "OPTIONS", "TRACE"))
"""Methods that RFC 9110 calls idempotent: doing it twice has the same effect as once."""
KEYED_METHODS: Final = frozenset(("POST", "PATCH"))
"""Repeated only with an ``Idempotency-Key``, by which the server recognises a repetition (IETF draft)."""
FIRST_SECONDS: Final = 1.0
RETRY_AFTER_SECONDS: Final = 60.0
"""Longest wait that a server may ask for: beyond it the answer goes to the caller, who knows better."""
TIMEOUT: Final = aiohttp.ClientTimeout(total=300, sock_connect=10, sock_read=30)
"""Each attempt has 10 s to connect and 30 s between two pieces of the answer, all together have 300 s."""

HOSTS: Final = 1024
"""Maximum number of circuits that a session keeps; the least recently used host is forgotten."""

BreakerChoice = CircuitBreaker | Callable[[str], CircuitBreaker]
"""One breaker, or a function that makes one for a host and port, passed as its name."""

_CONNECTION_ERRORS: Final = aiohttp.ClientConnectionError
_LASTING: Final = (aiohttp.ClientConnectorCertificateError, aiohttp.ServerFingerprintMismatch)
"""Connection errors that the next attempt would hit again."""

logger: logging.Logger = logging.getLogger("faultwire.retry")


class GivenUpResponseError(aiohttp.ClientResponseError):
    """The answer with which a request was given up; the text holds no query, no password and no header."""

    def __init__(self, response: aiohttp.ClientResponse, operation: str) -> None:
        super().__init__(
            response.request_info,
            response.history,
            status=response.status,
            message=response.reason or "",
            headers=response.headers,
        )
        self._operation = operation

    def __str__(self) -> str:
        return f"{self._operation} is answered {self.status} {self.message}".rstrip()


class RetryMiddleware:
    """Up to three more attempts after 429, 500, 502, 503, 504 and connection errors.

    ``Retry-After`` decides the wait (in seconds or as a date, up to a minute); without it the waits
    are 1, 2 and 4 s, each drawn between half and all of it. At the end the last answer is
    returned, or the last connection error raised. A body that can be read only once is sent once.

    Every attempt passes the breaker, for which those answers are failures as well. An open circuit
    raises `CircuitOpenError` in place of an attempt; one that opens ends the attempts.

    Args:
        breaker: for all requests; or a function that makes one for each host and port, passed as its name.
        errors: an ``ErrorManager``, to which one error is reported if any of these answers, a connection
            error or the session's own timeout is final.
        sleep: waits for a number of seconds.
        clock: the time in UTC, with which a date in ``Retry-After`` is compared.
        monotonic: monotonic seconds.
        rng: randomness for the waits.
    """

    def __init__(
        self,
        *,
        breaker: BreakerChoice | None = None,
        errors: ErrorSink | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        clock: Clock = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
        rng: random.Random | None = None,
    ) -> None:
        self._circuits = _Circuits(breaker)
        self._errors = errors
        self._sleep = sleep
        self._clock = clock
        self._monotonic = monotonic
        self._rng = rng or random.Random()  # noqa: S311 - spreads waits, keeps no secret

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Send the request, and again if that may help."""
        attempts = Attempts(self._monotonic)
        try:
            with raising_timeout(request):
                return await self._repeat(request, handler, attempts)
        except CircuitOpenError as error:
            if attempts.made:
                give_up(error, attempts, self._errors, about=_about(request))
            raise
        except TimeoutError as error:
            if ran_out(request):
                give_up(error, attempts, self._errors, about=_about(request))
            raise

    async def _repeat(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType, attempts: Attempts
    ) -> aiohttp.ClientResponse:
        breaker = self._circuits.breaker_of(request)
        delays = doubling_delays(FIRST_SECONDS)
        while True:
            delay = next(delays)
            wait = self._rng.uniform(delay / 2, delay)
            try:
                response = await _try(request, handler, attempts, breaker)
            except _CONNECTION_ERRORS as error:
                if isinstance(error, _LASTING):
                    raise
                if not _may_go_on(request, attempts, breaker):
                    give_up(error, attempts, self._errors, about=_about(request))
                    raise
                why = type(error).__name__
            else:
                if response.status not in STATUSES:
                    return response
                asked = retry_after(response.headers.get("Retry-After"), now=self._clock())
                wait = wait if asked is None else asked
                if wait > RETRY_AFTER_SECONDS or not _may_go_on(request, attempts, breaker):
                    self._give_up_with(response, attempts, request)
                    return response
                response.release()
                why = str(response.status)
            await request.close()  # the body's writer must be done before the body is read again
            _log(request, why, wait)
            attempts.wait(wait)
            await self._sleep(wait)

    def _give_up_with(
        self, response: aiohttp.ClientResponse, attempts: Attempts, request: aiohttp.ClientRequest
    ) -> None:
        if self._errors is None:
            return
        about = _about(request)
        error = GivenUpResponseError(response, " ".join(about.values()))
        give_up(error, attempts, self._errors, about=about)
        ask = response.raise_for_status

        def raise_for_status() -> None:
            try:
                ask()
            except aiohttp.ClientResponseError:
                raise error from None

        # A caller that raises for the status raises the reported error, so that it is recognised and
        # reported only once.
        response.raise_for_status = raise_for_status  # type: ignore[method-assign]


class _Circuits:
    """Breakers by host and port, or one for all."""

    def __init__(self, choice: BreakerChoice | None) -> None:
        self._choice = choice
        self._breakers: dict[str, CircuitBreaker] = {}

    def breaker_of(self, request: aiohttp.ClientRequest) -> CircuitBreaker | None:
        if self._choice is None or isinstance(self._choice, CircuitBreaker):
            return self._choice
        name = f"{request.url.host}:{request.url.port}"
        breaker = self._breakers.pop(name, None)
        if breaker is None:
            breaker = self._choice(name)
            if len(self._breakers) >= HOSTS:
                del self._breakers[next(iter(self._breakers))]  # the least recently used one
        self._breakers[name] = breaker
        return breaker


def create_robust_session(
    *,
    breaker: BreakerChoice | None = None,
    errors: ErrorSink | None = None,
    **client_session_arguments: Unpack[SessionArguments],
) -> aiohttp.ClientSession:
    """Create an ``aiohttp.ClientSession`` whose requests are repeated by `RetryMiddleware`.

    It accepts the arguments of ``ClientSession``. Middlewares given here run in every attempt. Without a
    ``timeout`` each attempt has 10 s to connect and 30 s of silence, and all together have 300 s; your own
    ``total`` applies to all attempts and the waits between them.

    Args:
        breaker: a `CircuitBreaker` for a session that talks to one service; or a function that makes one for
            each host and port, so that a dead host blocks no other: ``CircuitBreaker`` itself will do.
        errors: an ``ErrorManager``; a request that is given up becomes one event, with its attempts.
        client_session_arguments: those of ``aiohttp.ClientSession``.
    """
    retry = RetryMiddleware(breaker=breaker, errors=errors)
    own = client_session_arguments.get("middlewares", ())
    client_session_arguments["middlewares"] = (retry, *own)
    client_session_arguments.setdefault("timeout", TIMEOUT)
    session = aiohttp.ClientSession(**client_session_arguments)
    # aiohttp itself repeats requests that failed on a kept connection, around the middlewares: each of
    # its repetitions would bring four more attempts.
    session._retry_connection = False  # noqa: SLF001 - it has no public switch; aiohttp's own test client does the same
    return session


def may_repeat(request: aiohttp.ClientRequest) -> bool:
    """Return True if a second arrival of this request does no harm."""
    if request.method in KEYED_METHODS:
        return "Idempotency-Key" in request.headers
    return request.method in METHODS


def retry_after(header: str | None, *, now: datetime) -> float | None:
    """Return the seconds to wait by a ``Retry-After`` header (RFC 9110, 10.2.3); None if it says nothing."""
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


async def _try(
    request: aiohttp.ClientRequest,
    handler: aiohttp.ClientHandlerType,
    attempts: Attempts,
    breaker: CircuitBreaker | None,
) -> aiohttp.ClientResponse:
    """Send the request once, through the breaker; record a failure with the attempts."""
    with Passage(breaker) as passage:
        try:
            response = await handler(request)
        except _CONNECTION_ERRORS as error:
            attempts.note(error=type(error).__name__)
            raise
        except (asyncio.CancelledError, TimeoutError):
            if ran_out(request):
                attempts.note(error=TimeoutError.__name__)
                passage.fail()
            raise
        if response.status in STATUSES:
            attempts.note(status=response.status)
            passage.fail()
        return response


def _may_go_on(request: aiohttp.ClientRequest, attempts: Attempts, breaker: CircuitBreaker | None) -> bool:
    """Return True if there is another attempt after a failed one."""
    if breaker is not None and breaker.state is CircuitState.OPEN:
        return False
    return may_repeat(request) and attempts.made <= RETRIES and not _is_spent(request)


def _about(request: aiohttp.ClientRequest) -> dict[str, str]:
    url = request.url.with_user(None).with_query(None).with_fragment(None)
    return {"method": request.method, "url": str(url)}


def _is_spent(request: aiohttp.ClientRequest) -> bool:
    """Return True if the body was a stream that cannot be read again."""
    return bool(getattr(request.body, "consumed", False))


def _log(request: aiohttp.ClientRequest, why: str, wait: float) -> None:
    operation = f"{request.method} {redact_url(str(request.url))}"
    extra = {"event": "operation.retried", "operation": operation, "error": why}
    logger.info(
        "operation.retried operation=%s error=%s again_in_seconds=%.1f", operation, why, wait, extra=extra
    )
