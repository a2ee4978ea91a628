"""An aiohttp application behind its own server, with errors of every kind."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from tests.contract.integrations.recording import HEADERS, Recorded, assert_unhandled
from tests.tools.serving import get

from faultwire import (
    AuthenticationError,
    ErrorManager,
    ExternalError,
    FieldError,
    NotFoundError,
    ValidationError,
)
from faultwire.integrations.aiohttp import error_middleware

ERRORS = web.AppKey("errors", ErrorManager)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def pay(request: web.Request) -> web.Response:
    raise LookupError(f"no price for order {request.match_info['order']}")


async def pay_after_a_word(request: web.Request) -> web.Response:
    try:
        return await pay(request)
    except LookupError as error:
        await request.app[ERRORS].handle_error(error, context={"basket": 3})
        raise


async def bound(request: web.Request) -> web.Response:
    request.app[ERRORS].bind(order=request.match_info["order"])
    request.app[ERRORS].set_user("42")
    raise LookupError("bound")


async def unbound(request: web.Request) -> web.Response:
    raise LookupError("unbound")


async def stream(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"half")
    raise LookupError("no other half")


async def leave(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b"x" * 65_536)


def raising(error: BaseException) -> Handler:
    async def handler(request: web.Request) -> web.Response:
        raise error

    return handler


@asynccontextmanager
async def serving(shop: Recorded, handlers: dict[str, Handler], **options: Any) -> AsyncIterator[str]:
    middlewares = [error_middleware(shop.errors), *options.pop("middlewares", [])]
    app = web.Application(middlewares=middlewares, **options)
    app[ERRORS] = shop.errors
    for path, handler in handlers.items():
        app.router.add_get(path, handler)
    async with listening(app) as url:
        yield url


@asynccontextmanager
async def listening(app: web.Application) -> AsyncIterator[str]:
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_an_unhandled_error_is_one_event_and_the_standard_answer(shop: Recorded) -> None:
    async with serving(shop, {"/orders/{order}/pay": pay}) as url:
        response, body = await get(f"{url}/orders/17/pay?page=2&tag=a&tag=b", **HEADERS)
    assert (response.status, response.headers["Cache-Control"]) == (500, "no-store")
    event = await shop.event()
    assert_unhandled(event, body, route="/orders/{order}/pay", function="pay")
    assert event.request["url"] == f"{url}/orders/17/pay"
    assert "order 17" not in str(body)


async def test_what_a_handler_handed_over_before_is_the_same_event(shop: Recorded) -> None:
    async with serving(shop, {"/orders/{order}/pay": pay_after_a_word}) as url:
        _, body = await get(f"{url}/orders/17/pay")
    event = await shop.event()
    assert (event.id, event.context) == (body["error"]["id"], {"basket": 3})


async def test_what_one_request_binds_the_next_one_on_its_connection_does_not_know(shop: Recorded) -> None:
    async with (
        serving(shop, {"/bound/{order}": bound, "/unbound": unbound}) as url,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session,
    ):
        for path in ("/bound/17", "/unbound"):
            async with session.get(url + path) as response:
                await response.read()
    first, second = await shop.events()
    assert (first.tags, first.user) == ({"order": "17"}, {"id": "42"})
    assert (second.tags, second.user) == ({}, {})
    assert second.transaction == "/unbound"


@pytest.mark.parametrize(
    ("error", "status", "header"),
    [
        (NotFoundError("no order 17"), 404, None),
        (AuthenticationError("who?"), 401, "WWW-Authenticate"),
        (ExternalError("gateway"), 503, "Retry-After"),
        (ConnectionRefusedError("gateway"), 503, "Retry-After"),
    ],
)
async def test_status_and_headers_are_the_kind_s(
    shop: Recorded, error: Exception, status: int, header: str | None
) -> None:
    async with serving(shop, {"/": raising(error)}) as url:
        response, _ = await get(url)
    assert response.status == status
    assert header is None or header in response.headers
    assert (await shop.event()).handled is (status < 500)


async def test_a_refused_input_is_told_field_by_field_and_as_a_problem_to_whom_asks(shop: Recorded) -> None:
    error = ValidationError(errors=[FieldError("age", "must be positive", -1)])
    async with serving(shop, {"/": raising(error)}) as url:
        response, body = await get(url, Accept="application/problem+json")
    assert (response.status, response.content_type) == (400, "application/problem+json")
    assert body["details"]["errors"] == [{"field": "age", "message": "must be positive", "value": -1}]


async def test_the_application_s_own_answers_pass(shop: Recorded) -> None:
    async with serving(shop, {"/teapot": raising(web.HTTPConflict(text="taken"))}) as url:
        assert (await get(f"{url}/teapot"))[1] == "taken"
        assert (await get(f"{url}/nowhere"))[0].status == 404
    assert await shop.events() == []


async def test_an_answer_of_500_and_above_stays_the_application_s_and_is_an_event(shop: Recorded) -> None:
    async with serving(shop, {"/": raising(web.HTTPServiceUnavailable(text="closed for today"))}) as url:
        response, body = await get(url)
    assert (response.status, body) == (503, "closed for today")
    event = await shop.event()
    assert (event.handled, event.exceptions[0].attributes["http_status"]) == (True, 503)


async def test_a_response_that_has_begun_is_broken_off_and_is_an_event(shop: Recorded) -> None:
    async with serving(shop, {"/": stream}) as url:
        with pytest.raises(aiohttp.ClientPayloadError):
            await get(url)
    assert (await shop.event()).message == "no other half"


async def test_a_client_that_leaves_is_no_event(shop: Recorded) -> None:
    left = asyncio.Event()

    async def watched(request: web.Request) -> web.StreamResponse:
        try:
            return await leave(request)
        finally:
            left.set()

    async with serving(shop, {"/": watched}) as url, aiohttp.ClientSession() as session:
        response = await session.get(url)
        await response.content.readany()
        response.close()
        await asyncio.wait_for(left.wait(), 60)
    assert await shop.events() == []


async def test_a_host_that_is_none_costs_the_event_nothing(shop: Recorded) -> None:
    async with serving(shop, {"/orders/{order}/pay": pay}) as url:
        await get(f"{url}/orders/17/pay", Host="[")
    event = await shop.event()
    assert (event.transaction, event.request["url"]) == ("/orders/{order}/pay", "http://[/orders/17/pay")


async def test_an_error_of_a_middleware_is_answered_too(shop: Recorded) -> None:
    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        raise LookupError("no tenant")

    async with serving(shop, {"/orders/{order}/pay": pay}, middlewares=[check]) as url:
        _, body = await get(f"{url}/orders/17/pay")
    event = await shop.event()
    assert (event.id, event.message) == (body["error"]["id"], "no tenant")


async def test_an_application_within_another_answers_once_and_keeps_what_is_bound(shop: Recorded) -> None:
    @web.middleware
    async def identify(request: web.Request, handler: Handler) -> web.StreamResponse:
        shop.errors.bind(tenant="acme")
        return await handler(request)

    inner = web.Application(middlewares=[error_middleware(shop.errors)])
    inner.router.add_get("/orders/{order}/pay", pay)
    outer = web.Application(middlewares=[error_middleware(shop.errors), identify])
    outer.add_subapp("/shop", inner)
    async with listening(outer) as url:
        _, body = await get(f"{url}/shop/orders/17/pay")
    event = await shop.event()
    assert (event.id, event.tags) == (body["error"]["id"], {"tenant": "acme"})
    assert event.transaction == "/shop/orders/{order}/pay"


async def test_an_error_alone_in_a_task_group_is_that_error(shop: Recorded) -> None:
    async def grouped(request: web.Request) -> web.Response:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(missing())
        raise AssertionError

    async def missing() -> None:
        raise NotFoundError("no order 17")

    async with serving(shop, {"/": grouped}) as url:
        response, _ = await get(url)
    assert response.status == 404
