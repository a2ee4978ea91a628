"""Servers in this process, and clients that ask them."""

import asyncio
import json as jsons
import threading
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from email.message import Message
from socketserver import ThreadingMixIn
from typing import Any, Literal
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import WSGIApplication

import aiohttp
import uvicorn
from tests.tools.waiting import until


@asynccontextmanager
async def uvicorn_serving(app: Any, *, lifespan: Literal["auto", "on", "off"] = "auto") -> AsyncIterator[str]:
    """The address of the application behind uvicorn."""
    config = uvicorn.Config(app, port=0, lifespan=lifespan, log_config=None, http="h11", loop="asyncio")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())

    async def started() -> bool:
        return server.started or serving.done()

    await until(started, "uvicorn serves")
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


async def get(
    url: str, *, method: str = "GET", json: object = None, **headers: str
) -> tuple[aiohttp.ClientResponse, Any]:
    """The answer and its body, decoded where it is JSON."""
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url, headers=headers, json=json) as response,
    ):
        is_json = "json" in response.content_type and method != "HEAD"
        return response, (await response.json(content_type=None) if is_json else await response.text())


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
        return


@contextmanager
def wsgi_serving(app: WSGIApplication) -> Iterator[str]:
    """The address of the application behind the standard library's server, with a thread for each request."""
    server = make_server("127.0.0.1", 0, app, _Server, _Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def ask(url: str, *, method: str = "GET", **headers: str) -> tuple[int, Message, Any]:
    """The answer's status, headers and body, decoded where it is JSON."""
    request = urllib.request.Request(url, headers=headers, method=method)  # noqa: S310 - our own http
    try:
        response = urllib.request.urlopen(request, timeout=60)  # noqa: S310 - the same
    except urllib.error.HTTPError as error:
        response = error
    with response:
        body = response.read()
    is_json = "json" in (response.headers.get_content_type()) and body
    return response.status, response.headers, jsons.loads(body) if is_json else body.decode()
