"""The client against a real HTTP server that answers as a worker's intake does, or as it should not."""

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest
from aiohttp import web

from faultwire import ErrorManager
from faultwire.publish.credential import Credential
from faultwire.publish.transport import Busy, Denied, Outgoing, Refused, TransportDown
from faultwire.publish.transport_http import DENIED_SECONDS, HttpTransport
from faultwire_shared import codec
from faultwire_shared.producer_report import ProducerReport

MESSAGE = Outgoing(body=b'{"id":"e1"}', message_type=codec.EVENT_TYPE, routing_key="unused")


@dataclass
class Intake:
    """Stores what is posted, but for what stands in ``answers``."""

    url: str = ""
    answers: deque[web.Response] = field(default_factory=deque)
    bodies: list[bytes] = field(default_factory=list)
    reports: list[ProducerReport] = field(default_factory=list)
    content_types: set[str] = field(default_factory=set)
    authorizations: list[str | None] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    refuse: bytes = b"\xff"
    answering: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.authorizations.append(request.headers.get("Authorization"))
        if b'"last_sequence"' in body:
            self.reports.append(codec.decode_report(body))
            return web.json_response({"results": []}, status=202)
        self.content_types.add(request.content_type)
        await self.answering.wait()
        if self.refuse in body:
            return web.Response(status=400)
        if self.answers:
            return self.answers.popleft()
        self.bodies.append(body)
        ids = [msgspec.json.decode(raw)["id"] for raw in codec.split(body, None)]
        results = [{"id": event_id, "status": "stored"} for event_id in ids]
        return web.json_response({"results": results}, status=202)

    async def handle_elsewhere(self, request: web.Request) -> web.Response:
        self.elsewhere.append(request.method)
        return web.Response(status=202)

    @property
    def ids(self) -> list[str]:
        return [msgspec.json.decode(raw)["id"] for body in self.bodies for raw in codec.split(body, None)]


@pytest.fixture
async def intake() -> AsyncIterator[Intake]:
    intake = Intake()
    intake.answering.set()
    application = web.Application()
    application.router.add_post("/ingest/v1/events", intake.handle)
    application.router.add_route("*", "/elsewhere", intake.handle_elsewhere)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    intake.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield intake
    intake.answering.set()
    await runner.cleanup()


@pytest.fixture
async def transport(intake: Intake) -> AsyncIterator[HttpTransport]:
    transport = HttpTransport(intake.url + "/")
    await transport.open()
    yield transport
    await transport.aclose()


async def test_202_is_the_confirm(intake: Intake) -> None:
    async with ErrorManager(service="shop", broker_url=intake.url) as errors:
        response = await errors.handle_error(ValueError("x"), durability="confirmed")
    assert response.state.state == "confirmed"
    assert intake.ids == [response.error_id]
    assert intake.content_types == {"application/json"}


async def test_what_piles_up_is_posted_as_arrays(intake: Intake) -> None:
    intake.answering.clear()
    async with ErrorManager(service="shop", broker_url=intake.url) as errors:
        ids = [errors.handle_error_nowait(ValueError(str(n))).error_id for n in range(60)]
        intake.answering.set()
        assert await errors.flush(60)
    assert sorted(intake.ids) == sorted(ids)
    assert [body[:1] for body in intake.bodies] == [b"[", b"["]


async def test_an_event_that_the_intake_refuses_does_not_take_the_others_along(intake: Intake) -> None:
    intake.refuse = b"poison"
    # Without a spool: on a slow machine it takes them first, and what it sets aside stays `spooled`.
    async with ErrorManager(service="shop", broker_url=intake.url, spool_path="") as errors:
        responses = [errors.handle_error_nowait(ValueError(text)) for text in ("a", "b", "poison", "c")]
        assert await errors.flush(60)
    assert [response.state.state for response in responses].count("confirmed") == 3
    assert responses[2].state.reason == "refused_by_broker: the intake answered 400"
    assert errors.stats().lost == {"refused_by_broker": 1}


async def test_a_503_is_tried_again(intake: Intake) -> None:
    intake.answers.append(web.Response(status=503, headers={"Retry-After": "0"}))
    async with ErrorManager(service="shop", broker_url=intake.url) as errors:
        response = await errors.handle_error(ValueError("x"), durability="confirmed")
        assert response.state.state == "confirmed"


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize(
    ("token", "said"), [(None, "it wants a token"), ("fwt_x", "the token ")], ids=["without", "with"]
)
async def test_who_is_not_let_in_keeps_the_event(
    intake: Intake, status: int, token: str | None, said: str
) -> None:
    intake.answers.append(web.Response(status=status))
    transport = HttpTransport(intake.url, None if token is None else Credential(token))
    await transport.open()
    with pytest.raises(Denied, match=f"answered {status}; {said}") as caught:
        await transport.publish(MESSAGE)
    assert caught.value.after_seconds == DENIED_SECONDS
    assert "fwt_x" not in str(caught.value)
    await transport.publish(MESSAGE)
    assert intake.authorizations == [token and f"Bearer {token}"] * 2
    await transport.aclose()


async def test_a_token_of_the_manager_is_shown_with_each_message(intake: Intake) -> None:
    async with ErrorManager(service="shop", broker_url=intake.url, token="fwt_x") as errors:  # noqa: S106 - made up
        response = await errors.handle_error(ValueError("x"), durability="confirmed")
    assert response.state.state == "confirmed"
    assert set(intake.authorizations) == {"Bearer fwt_x"}


async def test_a_file_that_changed_is_read_again_where_its_token_is_refused(
    intake: Intake, tmp_path: Path
) -> None:
    path = tmp_path / "token"
    path.write_text("\ufefffwt_old\n", encoding="utf-8")
    environ = {"FAULTWIRE_BROKER_URL": intake.url, "FAULTWIRE_TOKEN_FILE": str(path)}
    async with ErrorManager.from_env(environ, service="shop") as errors:
        await errors.handle_error(ValueError("x"), durability="confirmed")
        path.write_text("fwt_new\n")
        await errors.handle_error(ValueError("y"), durability="confirmed")
        intake.answers.append(web.Response(status=401))
        response = await errors.handle_error(ValueError("z"), durability="confirmed")
    assert response.state.state == "confirmed"
    shown = [one for one, _ in itertools.groupby(intake.authorizations)]
    assert shown == ["Bearer fwt_old", "Bearer fwt_new"]
    assert len(intake.ids) == 3


async def test_a_file_that_gives_no_token_is_named(intake: Intake, tmp_path: Path) -> None:
    path = tmp_path / "token"
    transport = HttpTransport(intake.url, Credential(path))
    await transport.open()
    for made, said in ((None, "No such file"), ("two words", "one word of ASCII"), ("fwt_x", "unknown")):
        if made is not None:
            path.write_text(made)
        intake.answers.extend(web.Response(status=401) for _ in range(2))
        with pytest.raises(Denied, match=said):
            await transport.publish(MESSAGE)
        intake.answers.clear()
    await transport.aclose()


async def test_a_token_goes_nowhere_but_where_it_belongs(intake: Intake) -> None:
    for status in (301, 302, 307, 308):
        intake.answers.append(web.Response(status=status, headers={"Location": "/elsewhere"}))
    transport = HttpTransport(intake.url, Credential("fwt_x"))
    await transport.open()
    for _ in range(4):
        with pytest.raises(Busy):
            await transport.publish(MESSAGE)
    assert intake.elsewhere == []
    await transport.aclose()


@pytest.mark.parametrize("status", [400, 413, 415, 422])
async def test_what_can_never_be_taken_is_refused(
    intake: Intake, transport: HttpTransport, status: int
) -> None:
    intake.answers.append(web.Response(status=status))
    with pytest.raises(Refused):
        await transport.publish(MESSAGE)


@pytest.mark.parametrize(
    ("status", "retry_after", "seconds"),
    [
        (503, "7", 7.0),
        (429, "1", 1.0),
        (503, "Wed, 21 Oct 2026 07:28:00 GMT", None),
        (500, None, None),
        (404, None, None),
        (200, None, None),
        (302, None, None),
    ],
)
async def test_any_other_answer_means_later(
    intake: Intake, transport: HttpTransport, status: int, retry_after: str | None, seconds: float | None
) -> None:
    headers = {"Retry-After": retry_after} if retry_after else {}
    intake.answers.append(web.Response(status=status, headers=headers))
    with pytest.raises(Busy) as caught:
        await transport.publish(MESSAGE)
    assert caught.value.after_seconds == seconds


async def test_no_connection_is_told_without_the_password(intake: Intake) -> None:
    transport = HttpTransport("http://user:s3cret@127.0.0.1:1")
    await transport.open()
    with pytest.raises(TransportDown) as caught:
        await transport.publish(MESSAGE)
    assert "s3cret" not in str(caught.value)
    await transport.aclose()


async def test_no_answer_in_time_means_down(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("faultwire.publish.transport.PUBLISH_SECONDS", 0.1)
    intake.answering.clear()
    transport = HttpTransport(intake.url)
    await transport.open()
    with pytest.raises(TransportDown):
        await transport.publish(MESSAGE)
    await transport.aclose()


async def test_a_closed_transport_is_down_and_closes_twice(transport: HttpTransport) -> None:
    await transport.aclose()
    await transport.aclose()
    with pytest.raises(TransportDown):
        await transport.publish(MESSAGE)


async def test_an_intake_that_is_away_costs_no_event_once_it_is_there(intake: Intake) -> None:
    class Away(HttpTransport):
        turns = 0

        async def publish(self, message: Outgoing) -> None:
            Away.turns += 1
            if Away.turns < 3:
                raise TransportDown("away")
            await super().publish(message)

    async with ErrorManager(service="shop", transport=lambda: Away(intake.url)) as errors:
        response = await errors.handle_error(ValueError("x"), durability="confirmed")
        assert response.state.state == "confirmed"
