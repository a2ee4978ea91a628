"""The worker's HTTP server on its one port."""

import asyncio
from typing import Any, Final

from aiohttp import web

from faultwire_consumer.serving.certificate import ServedCertificate
from faultwire_consumer.serving.connection import HttpConnection
from faultwire_consumer.serving.traffic import TRAFFIC

HTTP_SHUTDOWN_SECONDS: Final = 2.0
"""For the requests that are under way when the server ends."""
BACKLOG: Final = 128
HANDSHAKE_SECONDS: Final = 5.0
"""For a visitor who begins TLS: until that ends the connection is in nobody's count but the socket's."""
FAREWELL_SECONDS: Final = 1.0
"""For a visitor's answer to the end of TLS, whose default would outlast the worker's own end."""


class HttpServer:
    """Serves an application from `start` until `aclose`."""

    def __init__(
        self,
        app: web.Application,
        *,
        host: str,
        port: int,
        certificate: ServedCertificate | None = None,
    ) -> None:
        """Prepare; with a certificate it speaks TLS alone."""
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=HTTP_SHUTDOWN_SECONDS)
        self._traffic = app[TRAFFIC]
        self._host = host
        self._port = port
        self._certificate = certificate
        self._listener: asyncio.Server | None = None
        self._watching: asyncio.Task[None] | None = None

    async def start(self) -> str:
        """Listen; the address of the page.

        Raises:
            OSError: the address cannot be listened on.
        """
        await self._runner.setup()
        loop, server = asyncio.get_running_loop(), self._runner.server
        assert server is not None  # noqa: S101 - for mypy: `setup` has made it
        self._listener = await loop.create_server(
            lambda: HttpConnection(server, self._traffic, loop=loop),
            self._host,
            self._port,
            backlog=BACKLOG,
            **({} if self._certificate is None else _tls(self._certificate)),
        )
        self._watching = asyncio.create_task(self._traffic.watch())
        host, port = self._listener.sockets[0].getsockname()[:2]
        return f"{'http' if self._certificate is None else 'https'}://{host}:{port}/"

    async def aclose(self) -> None:
        """Listen no longer, and let the requests that are under way end."""
        if self._watching is not None:
            self._watching.cancel()
        if self._listener is not None:
            self._listener.close()
        await self._runner.cleanup()


def _tls(certificate: ServedCertificate) -> dict[str, Any]:
    return {
        "ssl": certificate.listening,
        "ssl_handshake_timeout": HANDSHAKE_SECONDS,
        "ssl_shutdown_timeout": FAREWELL_SECONDS,
    }
