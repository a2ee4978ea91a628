"""A receiver's address, key and token are found nowhere: not in the API, a page, a log line or an attempt."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy import select
from structlog.testing import capture_logs
from tests.contract.api.conftest import Site, make_parts
from tests.contract.notify.receiver import Behaviour, Receiver, receiving
from tests.tools.clock import FixedClock

from faultwire_consumer.domain.policy.policy import Policy
from faultwire_consumer.domain.policy.text import parse_policy
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.notify.dispatcher import Dispatcher
from faultwire_consumer.notify.policy_file import shipped_text
from faultwire_consumer.notify.sender import Sender
from faultwire_consumer.notify.senders.build import senders_of
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.schema.notify import outbox_attempts
from faultwire_shared.event import ErrorSeverity

SECRET = "HUNTER2Zq"  # noqa: S105 - made up
POLICY = """
[receivers.webhook]
type = "webhook"
url = "http://u:{secret}@127.0.0.1:{port}/{secret}?key={secret}"
allow_private_addresses = true
[receivers.slack]
type = "slack"
url = "http://127.0.0.1:{port}/services/{secret}"
allow_private_addresses = true
[receivers.pagerduty]
type = "pagerduty"
url = "http://127.0.0.1:{port}/{secret}"
routing_key = "{secret}"
allow_private_addresses = true
[receivers.opsgenie]
type = "opsgenie"
url = "http://127.0.0.1:{port}/{secret}"
api_key = "{secret}"
allow_private_addresses = true
[receivers.alertmanager]
type = "alertmanager"
url = "http://127.0.0.1:{port}/{secret}"
username = "ana"
password = "{secret}"
allow_private_addresses = true
[receivers.ntfy]
type = "ntfy"
url = "http://127.0.0.1:{port}/{secret}"
token = "{secret}"
allow_private_addresses = true
[receivers.refused]
type = "slack"
url = "http://127.0.0.1:{port}/services/{secret}"
[receivers.apprise]
type = "apprise"
url = "json://u:{secret}@127.0.0.1:{port}/{secret}"
schemes = ["json"]
"""

pytestmark = [
    # Nothing here depends on the database.
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
    pytest.mark.may_block("Apprise is loaded"),
]


@asynccontextmanager
async def serving(
    store: Store, clock: FixedClock, policy: Policy, senders: dict[str, Sender]
) -> AsyncIterator[Site]:
    parts = make_parts(store, clock, policy, senders=lambda: senders)
    async with parts.report, TestClient(TestServer(parts.app)) as client:
        yield Site(client, store, parts.pipeline, clock, parts.failures)


def _echo(status: int) -> web.Response:
    """A receiver that says loudly what it was sent."""
    headers = {"Location": f"https://elsewhere.example/{SECRET}", "X-Key": SECRET}
    return web.Response(status=status, text=SECRET, headers=headers, reason=f"no {SECRET}")


@pytest.mark.parametrize("status", [302, 401, None])
async def test_whatever_a_receiver_answers_nothing_shows_how_it_is_reached(
    store: Store, clock: FixedClock, status: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    async with receiving() as receiver:
        receiver.answers = [Behaviour.RESET if status is None else lambda: _echo(status or 500)]
        port = receiver.port
        policy = parse_policy(POLICY.format(secret=SECRET, port=port), shipped=shipped_text())
        senders = senders_of(policy, clock=clock)
        async with serving(store, clock, policy, senders) as site:
            with capture_logs() as logs:
                shown = await _told(site, receiver, senders)
        rows = await store.read(select(outbox_attempts))
        for sender in senders.values():
            await sender.aclose()
    assert len(rows) == len(senders)
    everything = [repr(logs), repr(rows), repr(policy), caplog.text, *shown]
    assert not [text for text in everything if SECRET in text]


async def _told(site: Site, receiver: Receiver, senders: dict[str, Sender]) -> list[str]:
    """Send an event, let the dispatcher try, test a receiver; every text that an operator then sees."""
    await site.send(severity=ErrorSeverity.CRITICAL)
    dispatcher = Dispatcher(site.store, senders, metrics=Metrics(), clock=site.clock)
    await dispatcher.run_once()
    shown = []
    for name in list(senders)[-6:]:
        async with site.client.post(f"/api/v1/receivers/{name}/test") as answer:
            shown.append(await answer.text())
    paths = ["/rules", "/told", *(f"/told/{number}" for number in range(1, len(senders) + 1))]
    shown.extend([(await site.page(path))[1] for path in paths])
    paths = ["/api/v1/rules", "/api/v1/alerts", "/api/v1/alerts/1", "/api/v1/alerts/8"]
    shown.extend([json.dumps((await site.get(path))[1]) for path in paths])
    assert receiver.posted
    return shown
