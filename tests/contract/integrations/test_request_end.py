"""What ends a request without being an Exception is told, answered where the host lets us, and goes on."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.test import AsyncRequestFactory, RequestFactory
from fastapi import FastAPI
from flask import Flask
from starlette.requests import Request
from tests.contract.integrations import django_shop
from tests.contract.integrations.recording import Recorded, SyncRecorded
from tests.contract.integrations.test_asgi import Connection

from faultwire.integrations import flask, starlette
from faultwire.integrations.aiohttp import error_middleware
from faultwire.integrations.asgi import ErrorMiddleware as AsgiMiddleware
from faultwire.integrations.wsgi import ErrorMiddleware as WsgiMiddleware


class Deadline(BaseException):
    """A library's, which is no Exception so that nobody swallows it."""


ENDS = [SystemExit(1), Deadline("10 s are over"), BaseExceptionGroup("two", [ValueError(), SystemExit(0)])]
IN_ORDER = [SystemExit(0), SystemExit(), KeyboardInterrupt(), GeneratorExit(), asyncio.CancelledError()]
ENVIRON = {
    "REQUEST_METHOD": "GET",
    "PATH_INFO": "/pay",
    "SERVER_NAME": "shop",
    "SERVER_PORT": "80",
    "wsgi.url_scheme": "http",
}


class WsgiServer:
    """A server by the specification: it keeps what it is given."""

    def __init__(self) -> None:
        self.status = ""
        self.body = b""

    def __call__(self, status: str, headers: object, exc_info: object = None) -> Any:
        self.status = status
        return self._write

    def _write(self, part: bytes) -> None:
        self.body += part

    def serve(self, app: Any) -> None:
        self.body += b"".join(app(dict(ENVIRON), self))


def raising_wsgi(error: BaseException) -> Any:
    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        raise error

    return app


@pytest.mark.parametrize("error", ENDS, ids=repr)
def test_wsgi_answers_it_and_lets_it_go_on(error: BaseException, sync_shop: SyncRecorded) -> None:
    server = WsgiServer()
    with pytest.raises(type(error)) as raised:
        server.serve(WsgiMiddleware(raising_wsgi(error), sync_shop.errors))
    assert raised.value is error
    event = sync_shop.event()
    assert (event.handled, event.request["url"]) == (False, "http://shop/pay")
    assert server.status == "500 Internal Server Error"
    assert event.id.encode() in server.body


@pytest.mark.parametrize("error", IN_ORDER, ids=repr)
def test_wsgi_lets_pass_what_ends_in_order(error: BaseException, sync_shop: SyncRecorded) -> None:
    server = WsgiServer()
    with pytest.raises(type(error)):
        server.serve(WsgiMiddleware(raising_wsgi(error), sync_shop.errors))
    assert (sync_shop.events(), server.status) == ([], "")


def test_wsgi_tells_of_a_body_that_ends_so(sync_shop: SyncRecorded) -> None:
    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        yield b""
        sys.exit(1)

    with pytest.raises(SystemExit):
        WsgiServer().serve(WsgiMiddleware(app, sync_shop.errors))
    assert sync_shop.event().exceptions[0].type == "SystemExit"


@pytest.mark.parametrize("error", ENDS, ids=repr)
async def test_asgi_answers_it_and_lets_it_go_on(error: BaseException, shop: Recorded) -> None:
    async def app(*_: object) -> None:
        raise error

    connection = Connection(type="http")
    with pytest.raises(type(error)):
        await AsgiMiddleware(app, shop.errors)(connection.scope, connection.receive, connection.send)
    start, body = connection.sent
    assert start["status"] == 500
    assert (await shop.event()).id.encode() in body["body"]


async def test_an_exit_at_the_startup_is_critical(shop: Recorded) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        sys.exit("no database")

    connection = Connection({"type": "lifespan.startup"}, type="lifespan")
    with pytest.raises(SystemExit):
        await AsgiMiddleware(app, shop.errors)(connection.scope, connection.receive, connection.send)
    assert (await shop.event()).severity == "critical"


async def test_asgi_lets_a_cancellation_pass(shop: Recorded) -> None:
    async def app(*_: object) -> None:
        await asyncio.Event().wait()

    connection = Connection(type="http")
    serving = asyncio.create_task(
        AsgiMiddleware(app, shop.errors)(connection.scope, connection.receive, connection.send)
    )
    await asyncio.sleep(0)
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    assert (await shop.events(), connection.sent) == ([], [])


async def test_fastapi_answers_it(shop: Recorded) -> None:
    app = FastAPI()

    @app.get("/pay")
    async def pay(request: Request) -> None:
        raise Deadline("10 s are over")

    starlette.install(app, shop.errors)
    connection = Connection(type="http", method="GET", path="/pay", query_string=b"", http_version="1.1")
    with pytest.raises(Deadline):
        await app(connection.scope, connection.receive, connection.send)
    event = await shop.event()
    assert (connection.sent[0]["status"], event.transaction) == (500, "/pay")


def test_flask_answers_it(sync_shop: SyncRecorded) -> None:
    app = Flask("shop")

    @app.get("/pay")
    def pay() -> str:
        sys.exit(1)

    flask.install(app, sync_shop.errors)
    server = WsgiServer()
    with pytest.raises(SystemExit):
        server.serve(app.wsgi_app)
    assert (server.status, sync_shop.event().transaction) == ("500 Internal Server Error", "/pay")


@pytest.fixture
async def aiohttp_shop(shop: Recorded) -> AsyncIterator[TestClient[Any, Any]]:
    async def pay(request: web.Request) -> web.Response:
        raise Deadline("10 s are over")

    app = web.Application(middlewares=[error_middleware(shop.errors)])
    app.router.add_get("/pay", pay)
    async with TestClient(TestServer(app)) as client:
        yield client


async def test_aiohttp_answers_it(aiohttp_shop: TestClient[Any, Any], shop: Recorded) -> None:
    async with aiohttp_shop.get("/pay") as response:
        body = await response.json()
    assert (response.status, body["error"]["id"]) == (500, (await shop.event()).id)


def test_django_tells_of_it(sync_shop: SyncRecorded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(django_shop, "errors", sync_shop.errors)
    with pytest.raises(SystemExit):
        WSGIHandler().get_response(RequestFactory().get("/end"))
    event = sync_shop.event()
    assert (event.transaction, event.handled) == ("/end", False)


@pytest.mark.may_block("its manager is for code without a loop")
async def test_django_tells_of_it_under_asgi(
    sync_shop: SyncRecorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(django_shop, "errors", sync_shop.errors)
    with pytest.raises(django_shop.Deadline):
        await ASGIHandler().get_response_async(AsyncRequestFactory().get("/async/end"))
    assert sync_shop.event().transaction == "/async/end"
