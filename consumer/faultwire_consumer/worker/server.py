"""The worker's HTTP server on its one port."""

from typing import Final

from aiohttp import web

HTTP_SHUTDOWN_SECONDS: Final = 2.0
"""For the requests that are under way when the server ends."""


class HttpServer:
    """Serves an application from `start` until `aclose`."""

    def __init__(self, app: web.Application, *, host: str, port: int) -> None:
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=HTTP_SHUTDOWN_SECONDS)
        self._host = host
        self._port = port

    async def start(self) -> str:
        """Listen; the address of the page.

        Raises:
            OSError: the address cannot be listened on.
        """
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}/"

    async def aclose(self) -> None:
        """Listen no longer, and let the requests that are under way end."""
        await self._runner.cleanup()
