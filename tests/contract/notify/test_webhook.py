"""Webhooks to a real server that answers, hangs, resets, redirects and asks to wait."""

import asyncio
import base64
import hashlib
import hmac
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from ipaddress import ip_network
from typing import Any

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from tests.contract.notify.receiver import Behaviour, Receiver, receiving
from tests.servers.process import reserve_port
from tests.tools.clock import FixedClock
from tests.tools.notification import notification, notified

from faultwire_consumer.notify.sender import Outcome, Permanent, SendReason, Sent, Transient
from faultwire_consumer.notify.senders.webhook import WebhookSender

LOOPBACK = (ip_network("127.0.0.1"),)
KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()
IMPATIENT_SECONDS = 1.0
"""For an attempt that has to fail by time."""

Make = Callable[..., WebhookSender]


@pytest.fixture
async def make_sender(receiver: Receiver, clock: FixedClock) -> AsyncIterator[Make]:
    made: list[WebhookSender] = []

    def make(url: str | None = None, **options: Any) -> WebhookSender:
        given: dict[str, Any] = {"clock": clock, "secrets": (SECRET,), "allowed_networks": LOOPBACK}
        made.append(WebhookSender("ops", url or f"{receiver.url}/hook", **given | options))
        return made[-1]

    yield make
    for sender in made:
        await sender.aclose()


async def test_a_notification_is_posted_as_json_with_a_signature_that_anybody_can_check(
    receiver: Receiver, make_sender: Make, clock: FixedClock
) -> None:
    assert await make_sender().send(notification()) == Sent()
    (posted,) = receiver.posted
    assert posted.headers["content-type"] == "application/json"
    assert json.loads(posted.body)["data"]["incidents"][0]["id"] == "INC-1"
    assert posted.headers["webhook-id"] == posted.headers["idempotency-key"] == "n_17"
    assert posted.headers["webhook-timestamp"] == str(int(clock().timestamp()))
    assert posted.headers["webhook-signature"] == _signature(KEY, posted.headers, posted.body)


async def test_a_second_attempt_has_the_same_id_and_a_signature_of_its_own_time(
    receiver: Receiver, make_sender: Make, clock: FixedClock
) -> None:
    sender = make_sender()
    await sender.send(notification())
    clock.advance(timedelta(minutes=5))
    await sender.send(notification())
    first, second = receiver.posted
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]
    assert second.headers["webhook-signature"] == _signature(KEY, second.headers, second.body)


async def test_while_a_secret_changes_both_sign(receiver: Receiver, make_sender: Make) -> None:
    new = bytes(reversed(KEY))
    await make_sender(secrets=(SECRET, base64.b64encode(new).decode())).send(notification())
    (posted,) = receiver.posted
    expected = [_signature(key, posted.headers, posted.body) for key in (KEY, new)]
    assert posted.headers["webhook-signature"].split(" ") == expected


async def test_without_a_secret_nothing_is_signed(receiver: Receiver, make_sender: Make) -> None:
    assert await make_sender(secrets=()).send(notification()) == Sent()
    assert "webhook-signature" not in receiver.posted[0].headers


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda: web.Response(status=500), SendReason.RECEIVER_FAILED),
        (lambda: web.Response(status=502), SendReason.RECEIVER_FAILED),
        (Behaviour.HANG, SendReason.TIMEOUT),
        (Behaviour.HANG_AFTER_HEADERS, SendReason.TIMEOUT),
        (Behaviour.RESET, SendReason.CONNECTION_LOST),
        (Behaviour.CUT_BODY, SendReason.CONNECTION_LOST),
    ],
    ids=["500", "502", "timeout", "hang after headers", "reset", "cut body"],
)
async def test_a_sink_that_answers_500_times_out_hangs_after_headers_or_resets_is_worth_another_attempt(
    receiver: Receiver, make_sender: Make, answer: Any, reason: SendReason
) -> None:
    receiver.answers = [answer]
    sender = make_sender(send_seconds=IMPATIENT_SECONDS if reason is SendReason.TIMEOUT else 30.0)
    outcome = await sender.send(notification())
    assert isinstance(outcome, Transient)
    assert outcome.reason is reason
    receiver.answers = []
    assert await make_sender().send(notification()) == Sent(), "the next attempt finds nothing left behind"


async def test_a_sink_that_is_down_is_worth_another_attempt(make_sender: Make) -> None:
    outcome = await make_sender(f"http://127.0.0.1:{reserve_port()}/hook").send(notification())
    assert isinstance(outcome, Transient)
    assert outcome.reason is SendReason.UNREACHABLE


async def test_a_sink_whose_name_does_not_resolve_is_worth_another_attempt(make_sender: Make) -> None:
    sender = make_sender("http://hook.example/", resolver=Names({}))
    outcome = await sender.send(notification())
    assert isinstance(outcome, Transient)
    assert outcome.reason is SendReason.UNREACHABLE


async def test_a_sink_without_tls_where_it_should_have_some_is_worth_another_attempt(
    receiver: Receiver, make_sender: Make
) -> None:
    outcome = await make_sender(f"https://127.0.0.1:{receiver.port}/hook").send(notification())
    assert isinstance(outcome, Transient)
    assert outcome.reason is SendReason.TLS_FAILED
    assert receiver.posted == []


async def test_a_sink_that_speaks_no_http_is_worth_another_attempt(make_sender: Make) -> None:
    async with _speaking(b"220 smtp.example ESMTP\r\n") as port:
        outcome = await make_sender(f"http://127.0.0.1:{port}/").send(notification())
    assert isinstance(outcome, Transient)
    assert outcome.reason is SendReason.CONNECTION_LOST


async def test_an_answer_without_an_end_is_read_up_to_a_bound(receiver: Receiver, make_sender: Make) -> None:
    receiver.answers = [Behaviour.FLOOD]
    assert await make_sender(send_seconds=60).send(notification()) == Sent()


async def test_a_sink_that_hangs_does_not_hold_up_another_notification(
    receiver: Receiver, make_sender: Make
) -> None:
    receiver.answers = [Behaviour.HANG, lambda: web.Response(status=200)]
    sender = make_sender(send_seconds=60)
    hanging = asyncio.create_task(sender.send(notification()))
    await asyncio.wait_for(receiver.hanging.wait(), 30)
    assert await sender.send(notification(idempotency_key="n_18")) == Sent()
    assert not hanging.done()
    hanging.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hanging


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("header", ["120", "Mon, 23 Nov 2026 12:02:00 GMT"], ids=["seconds", "date"])
async def test_a_sink_s_retry_after_is_honoured_in_seconds_and_as_a_date(
    receiver: Receiver, make_sender: Make, status: int, header: str
) -> None:
    receiver.answers = [lambda: web.Response(status=status, headers={"Retry-After": header})]
    outcome = await make_sender().send(notification())
    assert isinstance(outcome, Transient)
    assert outcome.reason is SendReason.BUSY
    assert outcome.after_seconds == 120.0


async def test_a_redirect_to_an_internal_host_is_not_followed(receiver: Receiver, make_sender: Make) -> None:
    async with receiving() as internal:
        for status in (301, 302, 307, 308):
            receiver.answers = [
                partial(web.Response, status=status, headers={"Location": f"{internal.url}/admin"})
            ]
            outcome = await make_sender().send(notification())
            assert isinstance(outcome, Permanent)
            assert outcome.reason is SendReason.REDIRECTED
            assert internal.url in outcome.detail
        assert internal.posted == []
    assert len(receiver.posted) == 4


@pytest.mark.parametrize(
    ("status", "reason"),
    [(400, SendReason.REFUSED), (401, SendReason.REFUSED), (404, SendReason.REFUSED), (410, SendReason.GONE)],
)
async def test_a_sink_s_4xx_is_permanent(
    receiver: Receiver, make_sender: Make, status: int, reason: SendReason
) -> None:
    receiver.answers = [lambda: web.Response(status=status)]
    outcome = await make_sender().send(notification())
    assert isinstance(outcome, Permanent)
    assert outcome.reason is reason


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "0", "[::1]", "[::ffff:127.0.0.1]"],
)
async def test_however_this_machine_is_spelt_it_is_not_connected_to_unless_allowed(
    receiver: Receiver, make_sender: Make, host: str
) -> None:
    outcome = await make_sender(f"http://{host}:{receiver.port}/hook", allowed_networks=()).send(
        notification()
    )
    assert isinstance(outcome, Permanent)
    # aiohttp takes no number but the usual form for a host.
    assert outcome.reason in (SendReason.ADDRESS_REFUSED, SendReason.NOT_SENDABLE)
    assert receiver.posted == []


async def test_the_cloud_s_metadata_is_not_connected_to(make_sender: Make) -> None:
    outcome = await make_sender("http://169.254.169.254/latest/meta-data/").send(notification())
    assert isinstance(outcome, Permanent)
    assert outcome.reason is SendReason.ADDRESS_REFUSED


async def test_a_name_that_changes_its_mind_is_judged_at_every_connection(
    receiver: Receiver, make_sender: Make
) -> None:
    names = Names({"rebound.example": ["127.0.0.1"]})
    sender = make_sender(f"http://rebound.example:{receiver.port}/hook", resolver=names)
    assert await sender.send(notification()) == Sent()
    names.known["rebound.example"] = ["127.0.0.2"]
    outcome = await sender.send(notification())
    assert isinstance(outcome, Permanent)
    assert outcome.reason is SendReason.ADDRESS_REFUSED
    assert len(receiver.posted) == 1


async def test_of_a_name_s_addresses_only_those_outside_are_connected_to(
    receiver: Receiver, make_sender: Make
) -> None:
    names = Names({"mixed.example": ["127.0.0.3", "127.0.0.1", "127.0.0.2"]})
    sender = make_sender(f"http://mixed.example:{receiver.port}/hook", resolver=names)
    assert await sender.send(notification()) == Sent()
    names.known["mixed.example"] = ["127.0.0.3", "127.0.0.2"]
    outcome = await sender.send(notification())
    assert isinstance(outcome, Permanent)
    assert outcome.reason is SendReason.ADDRESS_REFUSED


async def test_no_outcome_tells_a_secret(receiver: Receiver, make_sender: Make) -> None:
    outcomes: list[Outcome] = []
    answers = [
        *Behaviour,
        *(partial(web.Response, status=status) for status in (302, 404, 429, 500)),
    ]
    rest = "/T0KEN/hook?key=T0KEN"
    for answer in answers:
        receiver.answers = [answer]
        url = f"http://user:T0KEN@127.0.0.1:{receiver.port}{rest}"
        outcomes.append(await make_sender(url, send_seconds=IMPATIENT_SECONDS).send(notification()))
    unanswered = (
        f"http://user:T0KEN@127.0.0.1:{reserve_port()}{rest}",
        f"http://user:T0KEN@127.0.0.9:{receiver.port}{rest}",
        f"https://user:T0KEN@127.0.0.1:{receiver.port}{rest}",
    )
    outcomes.extend([await make_sender(url).send(notification()) for url in unanswered])
    assert len(outcomes) == len(answers) + 3
    assert not [outcome for outcome in outcomes if "T0KEN" in repr(outcome)]


async def test_an_id_that_fits_no_header_is_permanent(receiver: Receiver, make_sender: Make) -> None:
    outcome = await make_sender().send(notification(idempotency_key="a\r\nX-Evil: 1"))
    assert isinstance(outcome, Permanent)
    assert outcome.reason is SendReason.NOT_SENDABLE
    assert receiver.posted == []


async def test_hostile_text_arrives_as_it_was_stored(receiver: Receiver, make_sender: Make) -> None:
    hostile = "\r\n\x1b[2J<script>\u202e{{7*7}}=cmd|' /C calc'!A0"
    await make_sender().send(notification(notified(title=hostile)))
    (posted,) = receiver.posted
    assert json.loads(posted.body)["data"]["incidents"][0]["title"] == hostile
    assert b"<" not in posted.body
    assert b"\n" not in posted.body


@pytest.mark.parametrize(
    "url",
    ["", "ftp://host/", "http://", "https:///T0KEN", "http://host:0/", "http://host:99999/", "host/T0KEN"],
)
def test_an_address_that_cannot_be_is_refused_without_being_told(url: str, clock: FixedClock) -> None:
    with pytest.raises(ValueError, match="a webhook's address") as failure:
        WebhookSender("ops", url, clock=clock)
    assert "T0KEN" not in str(failure.value)


class Names(AbstractResolver):
    """A name server of the test's own."""

    def __init__(self, known: dict[str, list[str]]) -> None:
        self.known = known

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        if host not in self.known:
            raise OSError(None, f"{host} is not known")
        return [
            ResolveResult(hostname=host, host=address, port=port, family=socket.AF_INET, proto=0, flags=0)
            for address in self.known[host]
        ]

    async def close(self) -> None:
        pass


@asynccontextmanager
async def _speaking(greeting: bytes) -> AsyncIterator[int]:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def _signature(key: bytes, headers: dict[str, str], body: bytes) -> str:
    """As the standard's text says it, with nothing of ours."""
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{body.decode()}"
    mac = hmac.new(key, signed.encode(), hashlib.sha256)
    return "v1," + base64.b64encode(mac.digest()).decode()
