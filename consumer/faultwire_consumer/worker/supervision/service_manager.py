"""Words of a process to the service manager that started it: it is ready, reloads, lives, and ends.

This is systemd's sd_notify(3): datagrams to the socket that NOTIFY_SOCKET names. Without one nothing is told.
"""

import asyncio
import os
import socket
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from faultwire_shared.health import HealthChecker, Report
from faultwire_shared.logging.logs import get_logger
from faultwire_shared.text import printable

PATIENCE_SECONDS: Final = 60.0
"""How much longer a start may take at each word that it still waits: as long as the loop turns, for ever."""
LOOK_SECONDS: Final = 0.5
STATUS_SECONDS: Final = 15.0
"""Between two words where nobody counts them."""
_STATUS_CHARACTERS: Final = 300

log = get_logger("faultwire.worker")


class ServiceManager:
    """Tells what systemd has to know, and nothing where no systemd listens."""

    def __init__(self, send: Callable[[str], None] | None, *, watchdog_seconds: float | None = None) -> None:
        """Prepare.

        Args:
            send: takes a message of one or more lines; None where nobody listens.
            watchdog_seconds: silence after which the process is killed; None if nobody counts.
        """
        self._send = send
        self._watchdog_seconds = watchdog_seconds
        self._is_ready = False

    @property
    def is_listening(self) -> bool:
        """Somebody can be told."""
        return self._send is not None

    @property
    def beat_seconds(self) -> float:
        """Time between two signs of life: half of what may pass without one."""
        return STATUS_SECONDS if self._watchdog_seconds is None else self._watchdog_seconds / 2

    def starting(self, why: str) -> None:
        """Not ready yet, and no reason to be given up."""
        self._tell(f"EXTEND_TIMEOUT_USEC={int(PATIENCE_SECONDS * 1e6)}", _status(why))

    def ready(self) -> None:
        """Ready: who is started after this one may go on."""
        self._is_ready = True
        self._tell("READY=1")

    def alive(self, status: str) -> None:
        """A sign of life, with a line for ``systemctl status``."""
        self._tell("WATCHDOG=1", _status(status))

    def stopping(self) -> None:
        """The end has begun."""
        self._is_ready = False
        self._tell("STOPPING=1", _status("drains"))

    @contextmanager
    def reloading(self) -> Iterator[None]:
        """Its settings are read again within, and it goes on with some of them afterwards."""
        if not self._is_ready:  # READY=1 would say of one that only starts that it has
            yield
            return
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            yield
        finally:
            if self._is_ready:
                self._tell("READY=1")

    def _tell(self, *lines: str) -> None:
        if self._send is not None:
            self._send("\n".join(lines))


class Telling:
    """Tells when a process has come up, and from then on that its loop turns."""

    def __init__(
        self,
        manager: ServiceManager,
        startup: HealthChecker,
        say: Callable[[], str],
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Prepare.

        Args:
            manager: is told.
            startup: passes when the process has come up.
            say: one line on how it does.
            sleep: waits.
        """
        self._manager = manager
        self._startup = startup
        self._say = say
        self._sleep = sleep

    async def run(self) -> None:
        """Go on until cancelled."""
        while (why := _why_not(await self._startup.run_checks())) is not None:
            self._manager.starting(why)
            await self._sleep(LOOK_SECONDS)
        self._manager.ready()
        while True:
            self._manager.alive(self._say())
            await self._sleep(self._manager.beat_seconds)


def service_manager_of(environ: Mapping[str, str]) -> ServiceManager:
    """Return the service manager that a process's environment names."""
    path = environ.get("NOTIFY_SOCKET", "")
    if not path.startswith(("/", "@")):
        return ServiceManager(None)
    return ServiceManager(_Datagrams(path).send, watchdog_seconds=_watchdog_of(environ))


class _Datagrams:
    """Sends to a socket and never waits for it."""

    def __init__(self, path: str) -> None:
        # A name without a file begins with a zero byte, which no variable can hold.
        self._address = "\0" + path[1:] if path.startswith("@") else path
        self._is_heard = True

    def send(self, message: str) -> None:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.setblocking(False)
                sender.sendto(message.encode(), self._address)
            self._is_heard = True
        except OSError as error:
            if self._is_heard:
                log.warning("service_manager.unheard", why=str(error))
            self._is_heard = False


def _watchdog_of(environ: Mapping[str, str]) -> float | None:
    """Return the seconds of a watchdog that is meant for this process, and not for one that started it."""
    microseconds, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not microseconds.isdecimal() or (pid and pid != str(os.getpid())):
        return None
    return int(microseconds) / 1e6 or None


def _why_not(report: Report) -> str | None:
    """Return what a report lacks; None if it is healthy."""
    failed = (check for check in report["checks"] if check["status"] == "fail")
    return next((f"{check['name']}: {check.get('error', 'failed')}" for check in failed), None)


def _status(text: str) -> str:
    return f"STATUS={printable(text)[:_STATUS_CHARACTERS]}"
