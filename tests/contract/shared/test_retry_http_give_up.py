"""A request that is given up: one event with its tries, and circuits that end them early."""

import asyncio
import inspect
import random
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import aiohttp
import pytest
from tests.contract.shared.misbehaving import Server, Waits
from tests.tools.clock import FixedClock
from tests.tools.fake_transport import FakeTransport
from tests.tools.retrying import Sink
from yarl import URL

from faultwire import CircuitBreaker, CircuitOpenError, CircuitState, ErrorManager, create_robust_session
from faultwire_shared.resilience.retry_http import HOSTS, RetryMiddleware
from faultwire_shared.resilience.session_argument import SessionArguments

MakeSession = Callable[..., aiohttp.ClientSession]


@pytest.fixture
def make_session(waits: Waits, clock: FixedClock, monkeypatch: pytest.MonkeyPatch) -> MakeSession:
    """`create_robust_session`, with its waits noted in place of waited."""

    def make(**options: Any) -> RetryMiddleware:
        times: dict[str, Any] = {"sleep": waits.sleep, "clock": clock, "monotonic": clock.monotonic}
        return RetryMiddleware(**times, **options, rng=random.Random(7))

    monkeypatch.setattr("faultwire_shared.resilience.retry_http.RetryMiddleware", make)
    return create_robust_session


@pytest.fixture
def dead() -> str:
    """The address of a port where nobody listens."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{closed.getsockname()[1]}/"


async def test_an_answer_that_is_given_up_with_is_returned_and_told_once(
    server: Server, make_session: MakeSession, sink: Sink, waits: Waits
) -> None:
    server.script = [503, "reset", 500, 503]
    url = server.url.replace("//", "//user:hunter2@")
    request = {"token": "hunter2"}
    async with make_session(errors=sink) as session, session.get(url, params=request) as answer:
        assert (answer.status, len(await answer.read())) == (503, 100_000)
    (error,), (context,) = sink.errors, sink.contexts
    assert (context["method"], context["url"]) == ("GET", server.url)
    first, second, third, fourth = context["attempts"]
    assert (first["number"], first["status"], first["waited_seconds"]) == (1, 503, 0)
    assert second["error"] in {"ServerDisconnectedError", "ClientOSError"}
    assert (third["status"], fourth["status"]) == (500, 503)
    assert [one["waited_seconds"] for one in (second, third, fourth)] == [round(wait, 3) for wait in waits]
    assert str(error) == f"GET {server.url} is answered 503 Service Unavailable"
    assert "hunter2" not in f"{error} {context}"
    assert "test_an_answer_that_is_given_up_with_is_returned_and_told_once" in sink.functions[0]


@pytest.mark.parametrize("raise_for_status", [True, False])
async def test_raising_for_such_an_answer_s_status_raises_what_was_told(
    server: Server, make_session: MakeSession, sink: Sink, raise_for_status: bool
) -> None:
    server.script = [503]
    async with make_session(errors=sink, raise_for_status=raise_for_status) as session:
        with pytest.raises(aiohttp.ClientResponseError) as raised:
            (await session.get(server.url)).raise_for_status()
    assert sink.errors == [raised.value]
    assert raised.value.status == 503


async def test_a_connection_error_that_is_raised_is_what_was_told(
    make_session: MakeSession, sink: Sink, dead: str
) -> None:
    async with make_session(errors=sink) as session:
        with pytest.raises(aiohttp.ClientConnectorError) as raised:
            await session.get(dead)
    assert sink.errors == [raised.value]
    assert [attempt["error"] for attempt in sink.contexts[0]["attempts"]] == ["ClientConnectorError"] * 4


async def test_what_is_answered_in_the_end_is_not_told(
    server: Server, make_session: MakeSession, sink: Sink
) -> None:
    async with make_session(errors=sink) as session:
        server.script = [503, "reset", 200, 404]
        for status in (200, 404):
            async with session.get(server.url) as answer:
                assert answer.status == status
    assert sink.errors == []


@pytest.mark.parametrize("step", [503, "reset"])
async def test_what_may_not_be_sent_again_is_given_up_after_one_try(
    server: Server, make_session: MakeSession, sink: Sink, step: int | str
) -> None:
    server.script = [step]
    async with make_session(errors=sink) as session:
        with suppress(aiohttp.ClientConnectionError):
            (await session.post(server.url, data=b"order 17")).close()
    assert [len(context["attempts"]) for context in sink.contexts] == [1]


async def test_a_server_that_asks_for_more_than_a_minute_is_given_up_with(
    server: Server, make_session: MakeSession, sink: Sink
) -> None:
    server.script = [{"Retry-After": "3600"}]
    async with make_session(errors=sink) as session:
        (await session.get(server.url)).close()
    assert [attempt["status"] for attempt in sink.contexts[0]["attempts"]] == [429]


async def test_the_session_s_own_timeout_is_told_as_it_is_raised_and_counts_as_a_failure(
    server: Server, make_session: MakeSession, sink: Sink
) -> None:
    server.script = ["hang"]
    breaker = CircuitBreaker("gateway", failure_threshold=1)
    timeout = aiohttp.ClientTimeout(total=0.3)
    async with make_session(errors=sink, breaker=breaker, timeout=timeout) as session:
        with pytest.raises(TimeoutError) as raised:
            await session.get(server.url)
    assert sink.errors == [raised.value]
    assert [attempt["error"] for attempt in sink.contexts[0]["attempts"]] == ["TimeoutError"]
    assert breaker.state is CircuitState.OPEN
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_timeout_while_it_waits_for_another_try_tells_of_those_before(
    server: Server, make_session: MakeSession, sink: Sink
) -> None:
    async def hang(_: float) -> None:
        await asyncio.Event().wait()

    server.script = [503]
    session = aiohttp.ClientSession(
        middlewares=[RetryMiddleware(errors=sink, sleep=hang)], timeout=aiohttp.ClientTimeout(total=1)
    )
    async with session:
        with pytest.raises(TimeoutError) as raised:
            await session.get(server.url)
    assert sink.errors == [raised.value]
    assert len(sink.contexts[0]["attempts"]) == 1
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_request_that_is_cancelled_is_neither_told_nor_a_failure(
    server: Server, make_session: MakeSession, sink: Sink
) -> None:
    server.script = ["hang"]
    breaker = CircuitBreaker("gateway", failure_threshold=1)
    async with make_session(errors=sink, breaker=breaker) as session:
        task = asyncio.create_task(session.get(server.url))
        await server.wait_for_request()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert sink.errors == []
    assert (breaker.state, breaker.counts().failures) == (CircuitState.CLOSED, 0)


async def test_an_error_manager_makes_one_event_of_it(server: Server, make_session: MakeSession) -> None:
    transport = FakeTransport()
    server.script = [503]
    manager = ErrorManager(service="shop", transport=lambda: transport)
    async with manager as errors, make_session(errors=errors) as session:
        (await session.get(server.url)).close()
    (event,) = transport.events
    assert (event.category, event.severity.value) == ("external", "high")
    assert event.exceptions[0].attributes["http_status"] == 503
    assert [attempt["status"] for attempt in event.context["attempts"]] == [503] * 4
    assert event.truncated == []
    assert any(
        frame.in_app and frame.qualname == "test_an_error_manager_makes_one_event_of_it"
        for frame in event.exceptions[0].frames
    )


async def test_every_try_passes_the_breaker_and_one_that_opens_it_is_the_last(
    server: Server, make_session: MakeSession, sink: Sink, waits: Waits
) -> None:
    server.script = [503]
    breaker = CircuitBreaker("gateway", failure_threshold=2)
    async with make_session(breaker=breaker, errors=sink) as session:
        async with session.get(server.url) as answer:
            assert answer.status == 503
        with pytest.raises(CircuitOpenError):
            await session.get(server.url)
    assert (len(server.requests), len(waits), len(sink.errors)) == (2, 1, 1)


async def test_a_host_that_answers_again_closes_its_circuit(
    server: Server, make_session: MakeSession, clock: FixedClock
) -> None:
    breaker = CircuitBreaker("gateway", failure_threshold=4, reset_timeout=10, clock=clock.monotonic)
    server.script = [500, 500, 500, 500, 200]
    async with make_session(breaker=breaker) as session:
        (await session.get(server.url)).close()
        assert breaker.state is CircuitState.OPEN
        clock.advance(10)
        async with session.get(server.url) as answer:
            assert answer.status == 200
    assert breaker.state.value == "closed"


async def test_a_dead_host_bars_the_way_to_no_other(
    server: Server, make_session: MakeSession, dead: str
) -> None:
    made: list[CircuitBreaker] = []

    def breaker_for(host: str) -> CircuitBreaker:
        made.append(CircuitBreaker(host, failure_threshold=4))
        return made[-1]

    async with make_session(breaker=breaker_for) as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(dead)
        with pytest.raises(CircuitOpenError) as refused:
            await session.get(dead + "orders")
        async with session.get(server.url) as answer:
            assert answer.status == 200
    assert [breaker.name for breaker in made] == [URL(url).authority for url in (dead, server.url)]
    assert refused.value.circuit == made[0].name


async def test_the_class_itself_makes_a_breaker_for_each_host(make_session: MakeSession, dead: str) -> None:
    async with make_session(breaker=CircuitBreaker) as session:
        for expected in (aiohttp.ClientConnectorError, aiohttp.ClientConnectorError, CircuitOpenError):
            with pytest.raises(expected):
                await session.get(dead)


async def test_a_circuit_that_somebody_else_opens_meanwhile_ends_it_with_its_own_error(
    server: Server, sink: Sink
) -> None:
    breaker = CircuitBreaker("gateway", failure_threshold=5)

    async def open_it(_: float) -> None:
        while breaker.state is CircuitState.CLOSED:
            with pytest.raises(ConnectionResetError), breaker:
                raise ConnectionResetError

    server.script = [503]
    retry = RetryMiddleware(breaker=breaker, errors=sink, sleep=open_it)
    async with aiohttp.ClientSession(middlewares=[retry]) as session:
        with pytest.raises(CircuitOpenError) as raised:
            await session.get(server.url)
    assert (len(server.requests), sink.errors) == (1, [raised.value])
    assert [attempt["status"] for attempt in sink.contexts[0]["attempts"]] == [503]


async def test_the_circuits_of_hosts_are_bounded() -> None:
    made: list[str] = []

    def breaker_for(host: str) -> CircuitBreaker:
        made.append(host)
        return CircuitBreaker(host)

    async def refuse(_: aiohttp.ClientRequest) -> aiohttp.ClientResponse:
        raise aiohttp.ServerFingerprintMismatch(b"expected", b"got", "host", 443)

    retry = RetryMiddleware(breaker=breaker_for)
    numbers = [*range(HOSTS), 0, HOSTS, 0, 1]
    for number in numbers:
        request = aiohttp.ClientRequest("GET", URL(f"https://host-{number}.example/"))
        with pytest.raises(aiohttp.ServerFingerprintMismatch):
            await retry(request, refuse)
    assert made[HOSTS:] == [f"host-{number}.example:443" for number in (HOSTS, 1)]


def test_its_arguments_are_typed_by_name_all_but_those_that_aiohttp_removes() -> None:
    deprecated = {"loop", "read_timeout", "conn_timeout", "ssl_shutdown_timeout"}
    of_aiohttp = set(inspect.signature(aiohttp.ClientSession).parameters)
    assert set(SessionArguments.__annotations__) == of_aiohttp - deprecated


async def test_a_wrong_name_is_seen_by_the_type_checker_and_refused() -> None:
    with pytest.raises(TypeError, match="header"):
        create_robust_session(header={"User-Agent": "shop"})  # type: ignore[call-arg]  # that mypy sees it is the point
