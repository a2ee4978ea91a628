"""Plain ASGI applications, behind uvicorn and by the protocol's own words."""

from typing import Any

import aiohttp
import pytest
from tests.contract.integrations.recording import HEADERS, Recorded, assert_unhandled
from tests.tools.serving import get, uvicorn_serving

from faultwire import NotFoundError
from faultwire.integrations.asgi import ErrorMiddleware, Message, Receive, Scope, Send

START = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"8")]}


async def pay(scope: Scope, receive: Receive, send: Send) -> None:
    scope["path_template"] = "/orders/{order}/pay"
    raise LookupError("no price")


async def lively(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await receive()
        raise LookupError("no database")
    raise AssertionError


class Connection:
    """One connection by the protocol: what is sent is kept, what is received is what stands here."""

    def __init__(self, *received: Message, **scope: Any) -> None:
        self.scope: dict[str, Any] = {"path": "/", "headers": [], "extensions": {}, **scope}
        self.sent: list[Message] = []
        self._received = list(received)

    async def receive(self) -> Message:
        return self._received.pop(0)

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    async def run(self, shop: Recorded, app: Any) -> list[Message]:
        await ErrorMiddleware(app, shop.errors)(self.scope, self.receive, self.send)
        return self.sent


def accepting(error: Exception) -> Any:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        raise error

    return app


def raising(error: Exception) -> Any:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise error

    return app


async def test_an_unhandled_error_is_one_event_and_the_standard_answer(shop: Recorded) -> None:
    async with uvicorn_serving(ErrorMiddleware(pay, shop.errors)) as url:
        response, body = await get(f"{url}/orders/17/pay?page=2&tag=a&tag=b", **HEADERS)
    event = await shop.event()
    assert_unhandled(event, body, route="/orders/{order}/pay", function="pay")
    assert (response.status, event.request["url"]) == (500, f"{url}/orders/17/pay")


async def test_a_secret_among_the_arguments_is_known_by_its_name(shop: Recorded) -> None:
    connection = Connection(type="http", query_string=b"page=2&access_token=hunter2&password=a&password=b")
    await connection.run(shop, raising(LookupError("no price")))
    query = (await shop.event()).request["query"]
    assert (query["page"], "hunter2" in str(query), query["password"] == ["a", "b"]) == ("2", False, False)


async def test_a_question_for_the_head_alone_has_the_same_answer_without_a_body(shop: Recorded) -> None:
    connection = Connection(type="http", method="HEAD")
    start, body = await connection.run(shop, raising(NotFoundError("no order 17")))
    assert (start["status"], body["body"]) == (404, b"")
    assert int(dict(start["headers"])[b"content-length"]) > 100


async def test_a_response_that_has_begun_is_broken_off_and_is_an_event(shop: Recorded) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise LookupError("no other half")

    async with uvicorn_serving(ErrorMiddleware(app, shop.errors), lifespan="off") as url:
        with pytest.raises(aiohttp.ClientPayloadError):
            await get(url)
    assert (await shop.event()).message == "no other half"


async def test_an_application_that_knows_no_lifespan_is_no_event(shop: Recorded) -> None:
    async with uvicorn_serving(ErrorMiddleware(pay, shop.errors)):
        pass
    assert await shop.events() == []


async def test_a_startup_that_fails_is_a_critical_event_and_goes_on_to_the_server(shop: Recorded) -> None:
    connection = Connection({"type": "lifespan.startup"}, type="lifespan")
    with pytest.raises(LookupError):
        await connection.run(shop, lively)
    event = await shop.event()
    assert (event.severity, event.handled, event.transaction) == ("critical", False, "lifespan")


async def test_a_websocket_is_closed_with_the_event_s_id(shop: Recorded) -> None:
    sent = await Connection(type="websocket").run(shop, accepting(LookupError("no price")))
    event = await shop.event()
    assert sent[1:] == [{"type": "websocket.close", "code": 1011, "reason": event.id}]


async def test_a_websocket_that_is_not_accepted_yet_is_answered_by_http(shop: Recorded) -> None:
    connection = Connection(type="websocket", extensions={"websocket.http.response": {}})
    start, body = await connection.run(shop, raising(LookupError("no price")))
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 500)
    assert (await shop.event()).id.encode() in body["body"]


async def test_a_server_that_cannot_answer_a_websocket_gets_the_error(shop: Recorded) -> None:
    with pytest.raises(LookupError):
        await Connection(type="websocket").run(shop, raising(LookupError("no price")))
    assert (await shop.event()).message == "no price"
