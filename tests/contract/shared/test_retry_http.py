"""The HTTP session repeats what may be repeated, over a real server that misbehaves."""

import io
import random
import socket
from collections.abc import AsyncIterator
from email.utils import format_datetime
from typing import Any

import aiohttp
import pytest
from tests.contract.shared.misbehaving import Server, Waits
from tests.tools.clock import FixedClock
from yarl import URL

from faultwire import create_robust_session
from faultwire_shared.resilience.retry_http import RetryMiddleware, retry_after


@pytest.fixture
async def session(
    waits: Waits, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[aiohttp.ClientSession]:
    """What `create_robust_session` makes, with its waits noted in place of waited."""

    def make(**options: Any) -> RetryMiddleware:
        return RetryMiddleware(sleep=waits.sleep, clock=clock, rng=random.Random(7), **options)

    monkeypatch.setattr("faultwire_shared.resilience.retry_http.RetryMiddleware", make)
    async with create_robust_session(timeout=aiohttp.ClientTimeout(total=60, sock_read=0.2)) as session:
        yield session


def _assert_doubling(waits: list[float], count: int) -> None:
    assert len(waits) == count
    assert all(bound / 2 <= wait <= bound for wait, bound in zip(waits, (1, 2, 4), strict=False)), waits


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_after_three_retries_the_last_answer_is_returned(
    server: Server, session: aiohttp.ClientSession, waits: Waits, status: int
) -> None:
    server.script = [status]
    async with session.get(server.url) as answer:
        assert answer.status == status
        assert len(await answer.text()) == 100_000
    assert len(server.requests) == 4
    _assert_doubling(waits, 3)


async def test_the_first_good_answer_ends_it(
    server: Server, session: aiohttp.ClientSession, waits: Waits
) -> None:
    server.script = [503, "reset", 200]
    async with session.get(server.url) as answer:
        assert answer.status == 200
    assert len(server.requests) == 3
    _assert_doubling(waits, 2)


@pytest.mark.parametrize("status", [400, 401, 404, 409, 422, 501])
async def test_any_other_status_is_the_answer(
    server: Server, session: aiohttp.ClientSession, status: int
) -> None:
    server.script = [status]
    async with session.get(server.url) as answer:
        assert answer.status == status
    assert len(server.requests) == 1


async def test_retry_after_in_seconds_is_obeyed(
    server: Server, session: aiohttp.ClientSession, waits: Waits
) -> None:
    server.script = [{"Retry-After": "7"}, {"Retry-After": "0"}, 200]
    async with session.get(server.url) as answer:
        assert answer.status == 200
    assert waits == [7, 0]


async def test_retry_after_as_a_date_is_obeyed(
    server: Server, session: aiohttp.ClientSession, waits: Waits, clock: FixedClock
) -> None:
    at = clock.now.replace(second=30)
    past = clock.now.replace(year=2020)
    server.script = [{"Retry-After": format_datetime(one, usegmt=True)} for one in (at, past)]
    server.script.append(200)
    async with session.get(server.url) as answer:
        assert answer.status == 200
    assert waits == [30, 0]


async def test_a_retry_after_that_says_nothing_leaves_the_usual_wait(
    server: Server, session: aiohttp.ClientSession, waits: Waits
) -> None:
    server.script = [{"Retry-After": "soon"}, 200]
    async with session.get(server.url) as answer:
        assert answer.status == 200
    _assert_doubling(waits, 1)


async def test_a_wait_of_more_than_a_minute_is_left_to_the_caller(
    server: Server, session: aiohttp.ClientSession, waits: Waits
) -> None:
    server.script = [{"Retry-After": "3600"}]
    async with session.get(server.url) as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (429, "3600")
    assert (len(server.requests), waits) == (1, [])


@pytest.mark.parametrize("step", ["reset", "hang"])
async def test_after_three_retries_the_last_connection_error_is_raised(
    server: Server, session: aiohttp.ClientSession, waits: Waits, step: str
) -> None:
    server.script = [step]
    with pytest.raises(aiohttp.ClientConnectionError):
        await session.get(server.url)
    assert len(server.requests) == 4
    _assert_doubling(waits, 3)


async def test_a_reset_on_a_kept_connection_costs_no_more_tries(
    server: Server, session: aiohttp.ClientSession
) -> None:
    server.script = [200, "reset"]
    async with session.get(server.url) as answer:
        await answer.read()
    with pytest.raises(aiohttp.ClientConnectionError):
        await session.get(server.url)
    assert len(server.requests) == 1 + 4


async def test_a_port_where_nobody_listens_is_tried_four_times(
    session: aiohttp.ClientSession, waits: Waits
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(f"http://127.0.0.1:{closed.getsockname()[1]}/")
    _assert_doubling(waits, 3)


@pytest.mark.parametrize("method", ["HEAD", "GET", "PUT", "DELETE", "OPTIONS", "TRACE"])
async def test_what_is_idempotent_is_repeated(
    server: Server, session: aiohttp.ClientSession, method: str
) -> None:
    server.script = [503]
    async with session.request(method, server.url) as answer:
        assert answer.status == 503
    assert [one for one, _ in server.requests] == [method] * 4


@pytest.mark.parametrize("method", ["POST", "PATCH"])
@pytest.mark.parametrize("step", [503, "reset"])
async def test_what_may_do_harm_twice_is_sent_once(
    server: Server, session: aiohttp.ClientSession, waits: Waits, method: str, step: int | str
) -> None:
    server.script = [step]
    try:
        async with session.request(method, server.url, data=b"order 17") as answer:
            assert answer.status == 503
    except aiohttp.ClientConnectionError:
        assert step == "reset"
    assert (server.requests, waits) == ([(method, b"order 17")], [])


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_an_idempotency_key_makes_it_repeatable(
    server: Server, session: aiohttp.ClientSession, method: str
) -> None:
    server.script = [503, "reset", 200]
    headers = {"idempotency-key": "order-17"}
    async with session.request(method, server.url, json={"order": 17}, headers=headers) as answer:
        assert answer.status == 200
    assert server.requests == [(method, b'{"order": 17}')] * 3


async def test_a_file_is_sent_whole_in_every_try(server: Server, session: aiohttp.ClientSession) -> None:
    server.script = [503, "reset", 200]
    content = random.Random(7).randbytes(500_000)
    async with session.put(server.url, data=io.BytesIO(content)) as answer:
        assert answer.status == 200
    assert server.requests == [("PUT", content)] * 3


async def test_a_body_that_can_be_read_only_once_is_sent_once(
    server: Server, session: aiohttp.ClientSession
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"order "
        yield b"17"

    server.script = [503]
    async with session.put(server.url, data=pieces()) as answer:
        assert answer.status == 503
    assert server.requests == [("PUT", b"order 17")]


async def test_a_wrong_certificate_is_not_tried_again(waits: Waits, clock: FixedClock) -> None:
    wrong = aiohttp.ClientConnectorCertificateError(None, ValueError("self-signed"))  # type: ignore[arg-type]  # no connection was made
    tries = 0

    async def refuse(_: aiohttp.ClientRequest) -> aiohttp.ClientResponse:
        nonlocal tries
        tries += 1
        raise wrong

    request = aiohttp.ClientRequest("GET", URL("https://localhost/"))
    with pytest.raises(aiohttp.ClientConnectorCertificateError):
        await RetryMiddleware(sleep=waits.sleep, clock=clock)(request, refuse)
    assert (tries, waits) == (1, [])


async def test_arguments_are_the_sessions_and_its_middlewares_run_in_every_try(server: Server) -> None:
    tries: list[str] = []

    async def sign(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        request.headers["Signature"] = f"{len(tries)}"
        tries.append(request.headers["User-Agent"])
        return await handler(request)

    server.script = [{"Retry-After": "0"}, {"Retry-After": "0"}, 200]
    async with create_robust_session(
        middlewares=[sign], headers={"User-Agent": "shop"}, raise_for_status=True, base_url=server.url
    ) as session:
        async with session.get("/") as answer:
            assert answer.status == 200
        assert tries == ["shop"] * 3
        server.script = [404]
        with pytest.raises(aiohttp.ClientResponseError):
            await session.get("/")
        assert session.timeout.sock_read == 30


@pytest.mark.parametrize("header", [None, "", "soon", "-5", "1.5", "²", "Mon, 99 Nov 2026 12:00:00 GMT"])
def test_a_header_that_is_no_time_says_nothing(header: str | None, clock: FixedClock) -> None:
    assert retry_after(header, now=clock.now) is None
