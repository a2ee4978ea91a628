"""Bounds of what is under way at once: connections, bytes of bodies, and time without a request."""

import asyncio
import resource
import socket
import sys
import time
from collections.abc import Callable
from enum import StrEnum
from typing import Final, Protocol

from aiohttp import web
from msgspec import Struct

from faultwire_consumer.metrics import Metrics
from faultwire_consumer.serving.refusal import WorkerBusyError
from faultwire_shared.logging.logs import get_logger

CONNECTIONS: Final = 512
BODY_BYTES: Final = 32 * 1024 * 1024
"""Of all bodies of which the rest has yet to arrive."""
HEADER_SECONDS: Final = 10.0
"""From the first byte of a request, or from the connection, to the end of its headers."""
UNREAD_SECONDS: Final = 30.0
"""An answer of which nothing was read for so long is not waited for."""
SETTLED_SECONDS: Final = 1.0
"""A connection without a request gives way to another one only when it had the time to make one."""
TOLD_SECONDS: Final = 60.0
RECENT_SECONDS: Final = 10.0
WATCH_SECONDS: Final = 1.0

log = get_logger("faultwire.http")


class EndReason(StrEnum):
    """The reason why the worker ended a connection, or took none."""

    SILENT = "silent"
    """It never made a request."""
    SLOW = "slow"
    """Its request did not get whole."""
    UNREAD = "unread"
    """It does not read its answer."""
    CROWDED = "crowded"
    """Too many are open."""


class CrowdedError(Exception):
    """Clients were turned away a moment ago."""


class ConnectionState(Struct):
    """A connection as its watch sees it; times are monotonic seconds."""

    since: float
    """The beginning of what it does now: waiting for a request, or serving one."""
    in_request: bool = False
    has_asked: bool = False
    receiving_since: float | None = None
    """The first byte of a request whose headers are not whole."""
    unsent: int = 0
    """Bytes that it did not take at the last look; 0 while it takes everything."""
    unsent_since: float = 0.0


class WatchedConnection(Protocol):
    """A connection that can be looked at and ended."""

    state: ConnectionState

    def count_unsent(self) -> int:
        """Return the number of bytes that wait to be taken."""
        ...

    def drop(self) -> None:
        """End it at once."""
        ...


def reason_to_end(state: ConnectionState, now: float) -> EndReason | None:
    """Decide whether a connection has had its time."""
    if state.unsent:
        return EndReason.UNREAD if now - state.unsent_since > UNREAD_SECONDS else None
    if state.in_request:
        return None
    if state.receiving_since is not None:
        return EndReason.SLOW if now - state.receiving_since > HEADER_SECONDS else None
    return EndReason.SILENT if not state.has_asked and now - state.since > HEADER_SECONDS else None


class Traffic:
    """Counts what is under way, and refuses what is too much.

    Args:
        metrics: count the connections, and what was ended.
        connections_most: further ones take the place of one without a request, or are turned away.
        bytes_most: of the bodies that are arriving.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        metrics: Metrics,
        *,
        connections_most: int = CONNECTIONS,
        bytes_most: int = BODY_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.clock = clock
        self._metrics = metrics
        self._connections_most = connections_most
        self._bytes_most = bytes_most
        self._connections: set[WatchedConnection] = set()
        self._bytes = 0
        self._crowded_at = self._told_at = -sys.float_info.max
        self._why = ""

    def admit(self, connection: WatchedConnection) -> bool:
        """Count a new connection in, unless there is no room for it."""
        if len(self._connections) >= self._connections_most and not self._make_room():
            self._turn_away(f"{self._connections_most} clients are connected, each with a request under way")
            return False
        self._connections.add(connection)
        self._metrics.http_connections.set(len(self._connections))
        return True

    def forget(self, connection: WatchedConnection) -> None:
        """Count an ended connection out."""
        self._connections.discard(connection)
        self._metrics.http_connections.set(len(self._connections))

    def take(self, size: int) -> None:
        """Count a body's bytes in.

        Raises:
            WorkerBusyError: there is no room for them.
        """
        if self._bytes + size > self._bytes_most:
            raise WorkerBusyError("other requests take all the room that there is for bodies")
        self._bytes += size

    def give_back(self, size: int) -> None:
        """Count a body's bytes out."""
        self._bytes -= size

    def sweep(self) -> None:
        """End the connections that had their time."""
        now = self.clock()
        for connection in list(self._connections):
            _look_at_unsent(connection, now)
            reason = reason_to_end(connection.state, now)
            if reason is not None:
                self._end(connection, reason)

    async def watch(self) -> None:
        """Sweep every second, for ever."""
        while True:
            self.sweep()
            self.look_for_descriptors()
            await asyncio.sleep(WATCH_SECONDS)

    def look_for_descriptors(self) -> None:
        """See that another connection could be accepted; event loops do not tell if not."""
        try:
            socket.socket().close()
        except OSError as error:
            self._turn_away(f"no descriptor is left: {error.strerror}")
            self._make_room()

    async def check(self) -> None:
        """Pass unless somebody was turned away a moment ago.

        Raises:
            CrowdedError: somebody was.
        """
        if self.clock() - self._crowded_at < RECENT_SECONDS:
            raise CrowdedError(self._why)

    def _make_room(self) -> bool:
        """End the connection that has been without a request for the longest, if there is one."""
        latest = self.clock() - SETTLED_SECONDS
        idle = [one for one in self._connections if not (one.state.in_request or one.state.unsent)]
        oldest = min(idle, key=lambda one: one.state.since, default=None)
        if oldest is None or oldest.state.since > latest:
            return False
        self._end(oldest, EndReason.CROWDED)
        return True

    def _end(self, connection: WatchedConnection, reason: EndReason) -> None:
        self.forget(connection)
        self._metrics.http_connections_ended.labels(reason).inc()
        connection.drop()

    def _turn_away(self, why: str) -> None:
        now = self.clock()
        self._crowded_at, self._why = now, why
        self._metrics.http_connections_ended.labels(EndReason.CROWDED).inc()
        if now - self._told_at > TOLD_SECONDS:
            self._told_at = now
            log.warning("http.crowded", why=why)


TRAFFIC: Final = web.AppKey("traffic", Traffic)


def connections_within(wanted: int) -> int:
    """Return the number of connections to allow: half of the descriptors are for everything else."""
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return wanted if descriptors == resource.RLIM_INFINITY else max(1, min(wanted, descriptors // 2))


def _look_at_unsent(connection: WatchedConnection, now: float) -> None:
    state, unsent = connection.state, connection.count_unsent()
    if unsent == 0 or not 0 < state.unsent <= unsent:
        state.unsent_since = now
    state.unsent = unsent
