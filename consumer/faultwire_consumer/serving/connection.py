"""A connection of the worker's server: aiohttp's, with bounds of time and number, and quiet about garbage."""

import asyncio
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from aiohttp import web

from faultwire_consumer.serving.protection import SERVER, protect
from faultwire_consumer.serving.traffic import ConnectionState, Traffic
from faultwire_shared.error_body import JSON_TYPE, error_fields, standard_body
from faultwire_shared.event import ErrorSeverity
from faultwire_shared.event_id import new_event_id
from faultwire_shared.http_status import code_of
from faultwire_shared.logging.logs import get_logger

KEEP_ALIVE_SECONDS: Final = 75.0
"""Longer than proxies keep theirs: the one who sends should be the one who ends."""
LINGER_SECONDS: Final = 1.0
"""For the rest of a body that was refused, read and thrown away: a socket that is closed with bytes
unread is reset, and that may overtake the answer."""
BUFFER_BYTES: Final = 64 * 1024
"""Twice as much of a body waits at most until its handler reads it."""
HEADERS: Final = 64

_OPTIONS: Final[dict[str, Any]] = {
    "access_log": None,
    "auto_decompress": False,  # it would inflate also what is refused, and without a bound
    "keepalive_timeout": KEEP_ALIVE_SECONDS,
    "lingering_time": LINGER_SECONDS,
    "max_headers": HEADERS,
    "read_bufsize": BUFFER_BYTES,
}
_TURNED_AWAY: Final = (
    f"HTTP/1.1 503 Service Unavailable\r\nServer: {SERVER}\r\nRetry-After: 2\r\nConnection: close\r\n"
    "Content-Length: 0\r\n\r\n"
).encode()

log = get_logger("faultwire.http")


class HttpConnection(web.RequestHandler):
    """One client's connection, under the watch of the traffic."""

    __slots__ = ("_traffic", "state")

    def __init__(self, server: web.Server, traffic: Traffic, *, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(server, loop=loop, **_OPTIONS)
        self._traffic = traffic
        self.state = ConnectionState(since=traffic.clock())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Serve it, or turn it away."""
        if self._traffic.admit(self):
            super().connection_made(transport)
            return
        self.force_close()  # nothing that it sends is read
        if isinstance(transport, asyncio.WriteTransport):
            transport.write(_TURNED_AWAY)
        transport.close()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget it."""
        self._traffic.forget(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Note where a request begins."""
        state = self.state
        if data and not state.in_request and state.receiving_since is None:
            state.receiving_since = self._traffic.clock()
        super().data_received(data)

    def begin_request(self) -> None:
        """Note that a request's headers are whole."""
        state = self.state
        state.in_request, state.has_asked = True, True
        state.since, state.receiving_since = self._traffic.clock(), None

    def end_request(self) -> None:
        """Note that its answer is made."""
        self.state.in_request, self.state.since = False, self._traffic.clock()

    def count_unsent(self) -> int:
        """Return the bytes of answers that the client has not taken, once they are too many to send on."""
        transport = self.transport
        return transport.get_write_buffer_size() if self.writing_paused and transport is not None else 0

    def drop(self) -> None:
        """End it at once, also if it takes nothing any more."""
        transport = self.transport
        self.force_close()
        if transport is not None:
            transport.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is no HTTP, without repeating it; anything else that comes here is a defect."""
        if status == 400 and request.writer.output_size == 0:
            log.debug("request.unreadable", why=type(exc).__name__)
            response: web.StreamResponse = _bad_request()
        else:
            response = super().handle_error(request, status, exc, message)
        protect(response)
        return response


def _bad_request() -> web.Response:
    now = datetime.now(UTC)
    fields = error_fields(
        error_id=new_event_id(now),
        message="this is not a request of HTTP/1.1",
        code=code_of(400),
        severity=ErrorSeverity.LOW,
        occurred_at=now,
        details={},
    )
    response = web.Response(
        status=400, body=msgspec.json.encode(standard_body(fields)), content_type=JSON_TYPE
    )
    response.force_close()
    return response
