"""The time before a start in which the database is away: probes are answered, and it is tried again."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, TypeVar

from aiohttp import web

from faultwire_consumer.metrics import Metrics
from faultwire_consumer.serving.certificate import ServedCertificate
from faultwire_consumer.serving.traffic import TRAFFIC, Traffic
from faultwire_consumer.store.contract.store import StoreRefusedError, StoreUnavailableError
from faultwire_consumer.web.access.declared import add_routes
from faultwire_consumer.web.access.guard import RECOGNISERS
from faultwire_consumer.web.access.open_door import open_door
from faultwire_consumer.web.failure import failure_of, json_response
from faultwire_consumer.web.health import probe
from faultwire_consumer.web.origin import Origins
from faultwire_consumer.web.state import CLOCK, HEALTH, ORIGINS, Health
from faultwire_consumer.worker.server import HttpServer
from faultwire_consumer.worker.supervision.service_manager import ServiceManager
from faultwire_shared.clock import utc_now
from faultwire_shared.health import HealthChecker
from faultwire_shared.logging.logs import get_logger
from faultwire_shared.retry import full_jitter_delays

T = TypeVar("T")

LONGEST_SECONDS: Final = 5.0
"""Between two attempts, as for a broker that is away."""
REMINDER_SECONDS: Final = 300.0
"""Between two lines of the log that say so."""
RETRY_AFTER: Final = "5"

log = get_logger("faultwire.worker")


class DatabaseAwayError(Exception):
    """The worker has not started yet, for its database does not answer."""


class Absence:
    """The reason why a worker cannot start yet, as its probes say it."""

    def __init__(self) -> None:
        self.why = ""

    async def check(self) -> None:
        """Fail with the reason.

        Raises:
            DatabaseAwayError: always.
        """
        raise DatabaseAwayError(self.why)


class _Reminder:
    """Says that the database is still away: at each attempt to the service manager, seldom to the log."""

    def __init__(self, absence: Absence, manager: ServiceManager) -> None:
        self._absence = absence
        self._manager = manager
        self._logged_at = -REMINDER_SECONDS
        self._now = asyncio.get_running_loop().time

    def say(self) -> None:
        self._manager.starting(self._absence.why)
        if self._now() - self._logged_at >= REMINDER_SECONDS:
            self._logged_at = self._now()
            log.warning("store.awaited", why=self._absence.why)


async def wait_for_database(
    start: Callable[[], Awaitable[T]],
    stop: asyncio.Event,
    *,
    host: str,
    port: int,
    is_open: bool,
    manager: ServiceManager,
    certificate: ServedCertificate | None = None,
) -> T | None:
    """Start as soon as the database answers; meanwhile the worker is alive, not started and not ready.

    Args:
        start: is tried again while it raises that the database is away.
        stop: ends the wait.
        host: where the probes are answered until then.
        port: on which port.
        is_open: nobody signs in, so this machine is told why; otherwise nobody can be known until then.
        manager: is told that it goes on waiting.
        certificate: of the server that answers until then.

    Returns:
        What `start` returns, or None if the worker was asked to end before.

    Raises:
        StoreRefusedError: waiting will not help: the login is refused, or there is no such database.
        OSError: the HTTP address cannot be listened on.
    """
    absence = Absence()
    started = await _attempt(start, absence)
    if started is not None:
        return started
    reminder = _Reminder(absence, manager)
    reminder.say()
    server = HttpServer(_waiting_app(absence, is_open=is_open), host=host, port=port, certificate=certificate)
    await server.start()
    try:
        for delay in full_jitter_delays(0.5, LONGEST_SECONDS):
            with suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await stop.wait()
            if stop.is_set():
                return None
            started = await _attempt(start, absence)
            if started is not None:
                break
            reminder.say()
    finally:
        await server.aclose()
    log.info("store.found")
    return started


async def _attempt(start: Callable[[], Awaitable[T]], absence: Absence) -> T | None:
    try:
        return await start()
    except StoreRefusedError:
        raise
    except StoreUnavailableError as error:
        absence.why = str(error)
        return None


def _waiting_app(absence: Absence, *, is_open: bool) -> web.Application:
    ready, startup = HealthChecker(), HealthChecker()
    ready.add_check("store", absence.check)
    startup.add_check("store", absence.check)
    app = web.Application()
    app[TRAFFIC] = Traffic(Metrics())  # which nobody reads: the worker that starts has its own
    app[ORIGINS] = Origins()
    app[RECOGNISERS] = (open_door,) if is_open else ()
    app[CLOCK] = utc_now
    app[HEALTH] = Health(live=HealthChecker(), ready=ready, startup=startup)
    add_routes(app, [probe.routes])
    app.router.add_route("*", "/{path:.*}", _not_yet)
    return app


async def _not_yet(request: web.Request) -> web.Response:
    refusal = web.HTTPServiceUnavailable(
        text="The worker waits for its database.", headers={"Retry-After": RETRY_AFTER}
    )
    return json_response(failure_of(refusal, request=request, now=utc_now()), request)
