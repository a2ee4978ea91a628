"""Starlette and FastAPI applications behind uvicorn, with all that lies between an error and the server."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from fastapi import APIRouter, FastAPI
from opentelemetry.sdk.trace import TracerProvider
from pydantic import BaseModel, Field
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket
from tests.contract.integrations.recording import HEADERS, Recorded, assert_unhandled
from tests.tools.serving import get, uvicorn_serving

from faultwire import ErrorManager, NotFoundError
from faultwire.integrations.asgi import ErrorMiddleware
from faultwire.integrations.starlette import install

Next = Callable[[Request], Awaitable[Response]]


class Order(BaseModel):
    quantity: int = Field(gt=0)
    password: str = Field(min_length=8)


class Passing(BaseHTTPMiddleware):
    """As most middlewares are written: the application runs in a task group of its own."""

    async def dispatch(self, request: Request, call_next: Next) -> Response:
        return await call_next(request)


class Failing(BaseHTTPMiddleware):
    async def dispatch(self, request: Request, call_next: Next) -> Response:
        raise LookupError("no tenant")


class GatewayError(Exception):
    """What the application answers by a handler of its own."""


def orders_of(errors: ErrorManager) -> APIRouter:
    orders = APIRouter(prefix="/orders")

    @orders.get("/{order:int}/pay")
    async def pay(order: int) -> None:
        raise LookupError(f"no price for order {order}")

    @orders.get("/{order}/ship")
    @errors.guard()
    def ship(order: str) -> None:
        errors.bind(order=order)
        raise LookupError("no address")

    @orders.get("/{order}/note")
    async def note(order: str) -> None:
        error = LookupError("noted")
        await errors.handle_error(error, context={"basket": 3})
        raise error

    @orders.get("/{order}")
    async def show(order: str) -> None:
        raise NotFoundError(f"no order {order}")

    return orders


def shop_of(errors: ErrorManager) -> FastAPI:
    """An application with an error of each kind."""
    app = FastAPI()

    @app.post("/orders")
    async def order(order: Order) -> None:
        raise AssertionError

    @app.get("/closed")
    async def closed() -> None:
        raise HTTPException(503, "closed for today")

    @app.get("/taken")
    async def taken() -> None:
        raise HTTPException(409, "taken")

    @app.get("/grouped")
    async def grouped() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(missing())

    @app.get("/gateway/{status}")
    async def gateway(status: int) -> None:
        raise GatewayError(str(status))

    @app.exception_handler(GatewayError)
    def answer(request: Request, error: GatewayError) -> JSONResponse:
        return JSONResponse({"mine": True}, status_code=int(str(error)))

    app.include_router(orders_of(errors), prefix="/v1")
    return app


@asynccontextmanager
async def serving(shop: Recorded, app: Starlette | None = None) -> AsyncIterator[str]:
    app = app or shop_of(shop.errors)
    install(app, shop.errors)
    async with uvicorn_serving(app) as url:
        yield url


async def fail(request: Request) -> Response:
    raise LookupError("no price")


async def missing() -> None:
    raise NotFoundError("no order 17")


async def test_an_unhandled_error_is_one_event_and_the_standard_answer(shop: Recorded) -> None:
    async with serving(shop) as url:
        response, body = await get(f"{url}/v1/orders/17/pay?page=2&tag=a&tag=b", **HEADERS)
    assert response.status == 500
    event = await shop.event()
    function = "orders_of.<locals>.pay"
    assert_unhandled(event, body, route="/v1/orders/{order}/pay", function=function)


async def test_a_plain_function_is_guarded_where_it_runs_and_its_error_is_one_event(shop: Recorded) -> None:
    async with serving(shop) as url:
        _, body = await get(f"{url}/v1/orders/17/ship")
    event = await shop.event()
    assert (event.id, event.transaction) == (body["error"]["id"], "/v1/orders/{order}/ship")
    assert event.tags == {"order": "17"}


async def test_what_a_view_handed_over_before_is_the_same_event(shop: Recorded) -> None:
    async with serving(shop) as url:
        _, body = await get(f"{url}/v1/orders/17/note")
    event = await shop.event()
    assert (event.id, event.context) == (body["error"]["id"], {"basket": 3})


async def test_our_own_kinds_of_error_are_answered_as_handled(shop: Recorded) -> None:
    async with serving(shop) as url:
        response, body = await get(f"{url}/v1/orders/17")
        assert (response.status, body["error"]["message"]) == (404, "no order 17")
        assert (await get(f"{url}/grouped"))[0].status == 404
    assert {event.handled for event in await shop.events()} == {True}


async def test_a_refused_input_is_400_with_its_fields_and_its_event_tells_no_value(shop: Recorded) -> None:
    async with serving(shop) as url:
        response, body = await get(f"{url}/orders", method="POST", json={"quantity": 0, "password": "secret"})
    assert response.status == 400
    fields = {one["field"]: one["value"] for one in body["error"]["details"]["errors"]}
    assert fields == {"quantity": 0, "password": "secret"}
    assert not {"File ", "Traceback", "pydantic"} & set(str(body).split())
    event = await shop.event()
    assert (event.id, event.fingerprint) == (body["error"]["id"], ["{{ default }}", "/orders"])
    assert "secret" not in str(event)


async def test_the_application_s_own_answers_pass(shop: Recorded) -> None:
    async with serving(shop) as url:
        assert (await get(f"{url}/taken"))[1] == {"detail": "taken"}
        assert (await get(f"{url}/nowhere"))[0].status == 404
        assert (await get(f"{url}/gateway/404"))[1] == {"mine": True}
    assert await shop.events() == []


async def test_an_answer_of_500_and_above_stays_the_application_s_and_is_an_event(shop: Recorded) -> None:
    async with serving(shop) as url:
        assert (await get(f"{url}/closed"))[1] == {"detail": "closed for today"}
        assert (await get(f"{url}/gateway/502"))[1] == {"mine": True}
    first, second = await shop.events()
    assert (first.handled, first.transaction) == (True, "/closed")
    assert (second.exceptions[0].type, second.transaction) == ("GatewayError", "/gateway/{status}")


@pytest.mark.parametrize("later", [True, False])
async def test_middlewares_before_and_behind_the_error_change_nothing(shop: Recorded, *, later: bool) -> None:
    app = shop_of(shop.errors)
    if not later:
        app.add_middleware(Passing)
    install(app, shop.errors)
    if later:
        app.add_middleware(Passing)
    async with uvicorn_serving(app) as url:
        _, body = await get(f"{url}/v1/orders/17/pay?page=2&tag=a&tag=b", **HEADERS)
    function = "orders_of.<locals>.pay"
    assert_unhandled(await shop.event(), body, route="/v1/orders/{order}/pay", function=function)


async def test_an_error_of_a_middleware_is_answered_too(shop: Recorded) -> None:
    app = shop_of(shop.errors)
    install(app, shop.errors)
    app.add_middleware(Failing)
    async with uvicorn_serving(app) as url:
        _, body = await get(f"{url}/v1/orders/17/pay")
    event = await shop.event()
    assert (event.id, event.message) == (body["error"]["id"], "no tenant")


async def test_a_mounted_application_s_route_is_told_in_full(shop: Recorded) -> None:
    inner = Starlette(routes=[Route("/orders/{order:int}", fail)])
    app = Starlette(routes=[Mount("/shops/{shop}", inner)], middleware=[Middleware(Passing)])
    install(inner, shop.errors)
    async with serving(shop, app) as url:
        _, body = await get(f"{url}/shops/acme/orders/17")
    event = await shop.event()
    assert (event.id, event.transaction) == (body["error"]["id"], "/shops/{shop}/orders/{order}")


@pytest.mark.parametrize("kind", [Starlette, FastAPI])
async def test_an_application_that_is_mounted_answers_as_the_one_around_it(
    kind: type[Starlette], shop: Recorded
) -> None:
    async def missing(request: Request) -> Response:
        raise NotFoundError("no order 7")

    inner, innermost = kind(), kind()
    for each in (inner, innermost):
        each.add_route("/missing", missing)
        each.add_route("/fail", fail)
    inner.mount("/deeper", Passing(innermost))
    app = kind()
    app.mount("/v1", inner)
    async with serving(shop, app) as url:
        for place in ("v1", "v1/deeper"):
            response, body = await get(f"{url}/{place}/missing")
            assert (response.status, body["error"]["message"]) == (404, "no order 7")
            response, body = await get(f"{url}/{place}/fail")
            assert (response.status, body["error"]["code"]) == (500, "INTERNAL_ERROR")
    found = [(event.code, event.severity, event.handled) for event in await shop.events()]
    assert found == 2 * [("RESOURCE_NOT_FOUND", "medium", True), ("INTERNAL_ERROR", "high", False)]


async def test_a_mount_of_something_unknown_is_the_route(shop: Recorded) -> None:
    async with serving(shop, Starlette(routes=[Mount("/files", fail_as_asgi)])) as url:
        await get(f"{url}/files/17")
    assert (await shop.event()).transaction == "/files"


async def fail_as_asgi(scope: object, receive: object, send: object) -> None:
    raise LookupError("no file")


async def test_a_handler_of_the_application_s_own_answers_and_the_error_is_still_an_event(
    shop: Recorded,
) -> None:
    async def mine(request: Request, error: Exception) -> Response:
        return Response("my page", status_code=500)

    app = Starlette(routes=[Route("/", fail)], exception_handlers={500: mine})
    async with serving(shop, app) as url:
        assert (await get(url))[1] == "my page"
    assert (await shop.event()).handled is False


async def test_in_debug_mode_the_page_is_starlette_s_and_the_error_is_still_an_event(shop: Recorded) -> None:
    async with serving(shop, Starlette(debug=True, routes=[Route("/", fail)])) as url:
        assert "LookupError" in (await get(url))[1]
    assert (await shop.event()).transaction == "/"


async def stream(request: Request) -> Response:
    async def halves() -> AsyncIterator[bytes]:
        yield b"half"
        raise LookupError("no other half")

    return StreamingResponse(halves())


async def test_a_stream_that_breaks_is_broken_off_and_is_an_event(shop: Recorded) -> None:
    async with serving(shop, Starlette(routes=[Route("/", stream)])) as url:
        with pytest.raises(aiohttp.ClientPayloadError):
            await get(url)
    assert (await shop.event()).message == "no other half"


async def test_a_stream_that_breaks_below_a_middleware_is_one_event_too(shop: Recorded) -> None:
    # BaseHTTPMiddleware ends such a stream as if it were whole; that is Starlette's to mend.
    app = Starlette(routes=[Route("/", stream)], middleware=[Middleware(Passing)])
    async with serving(shop, app) as url:
        assert (await get(url))[1] == "half"
    assert (await shop.event()).message == "no other half"


async def test_a_client_that_leaves_is_no_event(shop: Recorded) -> None:
    left = asyncio.Event()

    async def read(request: Request) -> Response:
        try:
            await request.body()
        finally:
            left.set()
        raise AssertionError

    app = Starlette(routes=[Route("/", read, methods=["POST"])])
    async with serving(shop, app) as url:
        host, port = url.removeprefix("http://").split(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 10\r\n\r\nhalf")
        await writer.drain()
        writer.close()
        await asyncio.wait_for(left.wait(), 60)
    assert await shop.events() == []


@pytest.mark.parametrize("middleware", [[], [Middleware(Passing)]])
async def test_what_one_request_binds_the_next_one_does_not_know(
    shop: Recorded, middleware: list[Middleware]
) -> None:
    async def bind(request: Request) -> Response:
        shop.errors.bind(order=17)
        raise LookupError("bound")

    app = Starlette(routes=[Route("/bind", bind), Route("/fail", fail)], middleware=middleware)
    async with serving(shop, app) as url, aiohttp.ClientSession() as session:
        for path in ("/bind", "/fail"):
            async with session.get(url + path) as response:
                await response.read()
    first, second = await shop.events()
    assert (first.tags, second.tags) == ({"order": 17}, {})


async def test_a_startup_that_fails_is_one_critical_event(shop: Recorded) -> None:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with shop.errors.guard(severity="critical"):
            raise LookupError("no database")
        yield

    app = Starlette(lifespan=lifespan)
    install(app, shop.errors)
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "lifespan.startup"}

    async def send(message: Any) -> None:
        sent.append(message["type"])

    with pytest.raises(LookupError):
        await app({"type": "lifespan", "state": {}}, receive, send)
    assert sent == ["lifespan.startup.failed"]
    event = await shop.event()
    assert (event.severity, event.handled) == ("critical", False)


async def test_a_websocket_is_closed_with_the_event_s_id(shop: Recorded) -> None:
    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()
        raise NotFoundError("no order 17")

    app = Starlette(routes=[WebSocketRoute("/orders/{order}", talk)])
    install(app, shop.errors)
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await app({"type": "websocket", "path": "/orders/17", "headers": []}, receive, send)
    event = await shop.event()
    assert sent[-1] == {"type": "websocket.close", "code": 1011, "reason": event.id}
    assert event.transaction == "/orders/{order}"


async def test_the_running_span_of_opentelemetry_wins_over_the_request_s_trace(shop: Recorded) -> None:
    tracer = TracerProvider().get_tracer("shop")

    async def traced(request: Request) -> Response:
        with tracer.start_as_current_span("paying") as span:
            shop.errors.bind(span=f"{span.get_span_context().span_id:016x}")
            await shop.errors.handle_error(LookupError("no price"))
        return Response()

    async with serving(shop, Starlette(routes=[Route("/", traced)])) as url:
        await get(url, **HEADERS)
    event = await shop.event()
    assert event.span_id == event.tags["span"]


async def test_it_cannot_be_installed_once_requests_are_served(shop: Recorded) -> None:
    app = Starlette(routes=[Route("/", fail)])
    app.middleware_stack = ErrorMiddleware(app.router, shop.errors)
    with pytest.raises(RuntimeError, match="first request"):
        install(app, shop.errors)
