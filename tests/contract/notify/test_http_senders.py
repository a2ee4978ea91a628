"""What every sender over HTTP does alike, whatever service it speaks to."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from ipaddress import ip_network
from typing import Any

import pytest
from aiohttp import web
from tests.contract.notify.receiver import Behaviour, Receiver, receiving
from tests.servers.process import reserve_port
from tests.tools.clock import FixedClock
from tests.tools.factories import wire_event
from tests.tools.notification import notification
from tests.tools.waiting import until

from faultwire_consumer.domain.notification import NotificationKind, NotificationReason
from faultwire_consumer.domain.policy.text import parse_policy
from faultwire_consumer.ingest.pipeline import Pipeline
from faultwire_consumer.ingest.read.delivery import read_delivery
from faultwire_consumer.ingest.rules.evaluation import Evaluator
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.notify.dispatcher import LEASE_SECONDS, Dispatcher
from faultwire_consumer.notify.policy_file import shipped_text
from faultwire_consumer.notify.sender import Permanent, Sender, SendReason, Sent, Transient
from faultwire_consumer.notify.senders.alertmanager import AlertmanagerSender
from faultwire_consumer.notify.senders.build import senders_of
from faultwire_consumer.notify.senders.ntfy import NtfySender
from faultwire_consumer.notify.senders.opsgenie import OpsgenieSender
from faultwire_consumer.notify.senders.pagerduty import PagerDutySender
from faultwire_consumer.notify.senders.slack import SlackSender
from faultwire_consumer.notify.senders.webhook import WebhookSender
from faultwire_consumer.store.contract.store import Store
from faultwire_shared.codec import BATCH_TYPE

SECRET = "S3CRET"  # noqa: S105 - made up
IMPATIENT_SECONDS = 0.25
"""For an attempt that has to fail by time."""

MAKERS: dict[str, Callable[..., Sender]] = {
    "webhook": WebhookSender,
    "slack": SlackSender,
    "pagerduty": partial(PagerDutySender, routing_key=SECRET, origin="faultwire"),
    "opsgenie": partial(OpsgenieSender, api_key=SECRET, origin="faultwire"),
    "alertmanager": partial(
        AlertmanagerSender,
        origin="faultwire",
        keep_firing=timedelta(days=3),
        authorization=f"Bearer {SECRET}",
    ),
    "ntfy": partial(NtfySender, authorization=f"Bearer {SECRET}"),
}
POLICY = """
[receivers.webhook]
type = "webhook"
url = "{webhook}/S3CRET"
allow_private_addresses = true
[receivers.slack]
type = "slack"
url = "{slack}/services/S3CRET"
allow_private_addresses = true
[receivers.pagerduty]
type = "pagerduty"
url = "{pagerduty}"
routing_key = "S3CRET"
allow_private_addresses = true
[receivers.opsgenie]
type = "opsgenie"
url = "{opsgenie}"
api_key = "S3CRET"
allow_private_addresses = true
[receivers.alertmanager]
type = "alertmanager"
url = "{alertmanager}"
username = "faultwire"
password = "S3CRET"
allow_private_addresses = true
[receivers.ntfy]
type = "ntfy"
url = "{ntfy}/S3CRET"
token = "S3CRET"
allow_private_addresses = true
"""
TYPES = ("webhook", "slack", "pagerduty", "opsgenie", "alertmanager", "ntfy")

Make = Callable[..., Sender]


def well() -> web.Response:
    """What every receiver's caller is content with, an Alertmanager's question among them."""
    return web.Response(text="[]", content_type="application/json")


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as one:
        one.answers = [well]
        yield one


@pytest.fixture(params=list(MAKERS))
async def make(request: pytest.FixtureRequest, receiver: Receiver, clock: FixedClock) -> AsyncIterator[Make]:
    made: list[Sender] = []

    def make_one(url: str | None = None, **options: Any) -> Sender:
        given: dict[str, Any] = {"clock": clock, "allowed_networks": (ip_network("127.0.0.1"),)}
        made.append(MAKERS[request.param]("ops", url or f"{receiver.url}/S3CRET", **given | options))
        return made[-1]

    yield make_one
    for sender in made:
        await sender.aclose()


async def test_what_is_taken_is_sent(make: Make, receiver: Receiver) -> None:
    assert await make().send(notification()) == Sent()
    assert {one.headers["idempotency-key"] for one in receiver.posted} == {"n_17"}


@pytest.mark.parametrize("status", [429, 503])
async def test_a_receiver_that_asks_to_wait_is_obeyed(make: Make, receiver: Receiver, status: int) -> None:
    receiver.answers = [lambda: web.Response(status=status, headers={"Retry-After": "17"})]
    outcome = await make().send(notification())
    assert isinstance(outcome, Transient)
    assert (outcome.reason, outcome.after_seconds) == (SendReason.BUSY, 17.0)


async def test_a_fraction_of_a_second_is_a_wait_too(make: Make, receiver: Receiver) -> None:
    receiver.answers = [lambda: web.Response(status=429, headers={"Retry-After": "1.5"})]
    outcome = await make().send(notification())
    assert isinstance(outcome, Transient)
    assert outcome.after_seconds == 1.5


@pytest.mark.parametrize(
    ("answer", "kind", "reason"),
    [
        (502, Transient, SendReason.RECEIVER_FAILED),
        (Behaviour.RESET, Transient, SendReason.CONNECTION_LOST),
        (Behaviour.HANG, Transient, SendReason.TIMEOUT),
        (Behaviour.HANG_AFTER_HEADERS, Transient, SendReason.TIMEOUT),
        (401, Permanent, SendReason.REFUSED),
        (410, Permanent, SendReason.GONE),
    ],
)
async def test_an_answer_means_the_same_to_all(
    make: Make, receiver: Receiver, answer: Any, kind: type[Transient | Permanent], reason: SendReason
) -> None:
    receiver.answers = [answer if isinstance(answer, Behaviour) else lambda: web.Response(status=answer)]
    seconds = IMPATIENT_SECONDS if reason is SendReason.TIMEOUT else 30.0
    outcome = await make(send_seconds=seconds).send(notification())
    assert isinstance(outcome, kind)
    assert outcome.reason is reason
    assert SECRET not in repr(outcome)


async def test_a_redirect_is_not_followed(make: Make, receiver: Receiver) -> None:
    async with receiving() as internal:
        location = {"Location": f"{internal.url}/admin"}
        receiver.answers = [lambda: web.Response(status=307, headers=location)]
        outcome = await make().send(notification())
        assert isinstance(outcome, Permanent)
        assert outcome.reason is SendReason.REDIRECTED
        assert internal.posted == []


async def test_an_address_inside_the_network_is_refused_unless_allowed(
    make: Make, receiver: Receiver
) -> None:
    outcome = await make(allowed_networks=()).send(notification())
    assert isinstance(outcome, Permanent)
    assert outcome.reason is SendReason.ADDRESS_REFUSED
    assert receiver.posted == []


async def test_nobody_listens_or_speaks_tls(make: Make, receiver: Receiver) -> None:
    outcome = await make(f"http://127.0.0.1:{reserve_port()}/S3CRET").send(notification())
    assert isinstance(outcome, Transient)
    assert outcome.reason is SendReason.UNREACHABLE
    assert SECRET not in repr(outcome)
    outcome = await make(f"https://127.0.0.1:{receiver.port}/S3CRET").send(notification())
    assert isinstance(outcome, Transient)
    assert outcome.reason is SendReason.TLS_FAILED
    assert SECRET not in repr(outcome)


async def test_a_test_of_a_receiver_that_refuses_it_says_so(make: Make, receiver: Receiver) -> None:
    receiver.answers = [lambda: web.Response(status=410)]
    test = notification(kind=NotificationKind.TEST, reason=NotificationReason.REQUESTED, incidents=())
    outcome = await make().send(test)
    assert isinstance(outcome, Permanent)
    assert outcome.reason is SendReason.GONE
    assert len(receiver.posted) == 1


@pytest.mark.may_block("reads a policy")
async def test_killed_between_send_and_mark_each_sender_sends_again_under_the_same_keys(
    store: Store, clock: FixedClock
) -> None:
    async with AsyncExitStack() as stack:
        receivers = {name: await stack.enter_async_context(receiving()) for name in TYPES}
        for name, one in receivers.items():
            one.answers = [well, Behaviour.HANG] if name == "alertmanager" else [Behaviour.HANG]
        text = POLICY.format(**{name: one.url for name, one in receivers.items()})
        policy = parse_policy(text, shipped=shipped_text())
        senders = senders_of(policy, clock=clock)
        await _occur(store, clock, policy)
        running = asyncio.create_task(_dispatcher(store, senders, clock).run())

        async def are_sent() -> bool:
            return all(one.hanging.is_set() for one in receivers.values())

        await until(are_sent, "each receiver has it, and none has answered")
        running.cancel()
        await asyncio.wait({running})
        for one in receivers.values():
            one.answers = [well]
        clock.advance(LEASE_SECONDS + 5)
        await _dispatcher(store, senders, clock).run_once()
        for name, one in receivers.items():
            keys = {posted.headers["idempotency-key"] for posted in one.posted}
            assert keys == {f"critical:INC-1:1:new:{name}"}
            assert len(one.posted) == (4 if name == "alertmanager" else 2)
        for name, key in (("pagerduty", "dedup_key"), ("opsgenie", "alias")):
            assert {json.loads(one.body)[key] for one in receivers[name].posted} == {"faultwire:INC-1:1"}
        bodies = [json.loads(one.body) for one in receivers["alertmanager"].posted if one.body]
        assert bodies[0][0]["labels"] == bodies[1][0]["labels"]
        for sender in senders.values():
            await sender.aclose()


async def _occur(store: Store, clock: FixedClock, policy: Any) -> None:
    pipeline = Pipeline(store, metrics=Metrics(), evaluator=Evaluator(policy), clock=clock)
    event = wire_event(now=clock(), severity="critical", message="boom")
    delivery = read_delivery(json.dumps([event]).encode(), BATCH_TYPE, origin="test", handle=None)
    await pipeline.ingest([delivery])


def _dispatcher(store: Store, senders: dict[str, Sender], clock: FixedClock) -> Dispatcher:
    return Dispatcher(store, senders, metrics=Metrics(), clock=clock)
