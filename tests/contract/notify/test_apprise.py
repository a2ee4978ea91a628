"""The real Apprise, by its plainest schemes, to a receiver on this machine."""

import asyncio
import json
import logging
import sys
import threading

import pytest
from aiohttp import web
from tests.contract.notify.receiver import Behaviour, Receiver
from tests.servers.process import reserve_port
from tests.tools.notification import digest, notification, notified
from tests.tools.waiting import until

from faultwire_consumer.domain.policy.text import parse_policy
from faultwire_consumer.notify.policy_file import PolicyFileError, shipped_text
from faultwire_consumer.notify.sender import SendReason, Sent, Transient
from faultwire_consumer.notify.senders.apprise import AppriseSender
from faultwire_consumer.notify.senders.build import senders_of
from faultwire_shared.clock import utc_now

pytestmark = pytest.mark.may_block("Apprise is loaded, and blocks in threads of its own")


def address(receiver: Receiver, scheme: str = "json") -> str:
    return f"{scheme}://user:T0KEN@127.0.0.1:{receiver.port}/T0KEN"


async def test_a_notification_is_sent_as_apprise_sends_it(receiver: Receiver) -> None:
    sender = AppriseSender("chat", address(receiver))
    assert await sender.send(notification(notified(title="<locals> & @everyone"))) == Sent()
    assert await sender.send(digest(*(notified(number) for number in range(1, 300)))) == Sent()
    await sender.aclose()
    first, second = (json.loads(posted.body) for posted in receiver.posted)
    assert first["title"].startswith("[critical] INC-1 new: billing: <locals> & @")
    assert "@everyone" not in first["title"]
    assert first["type"] == "failure"
    assert "ConnectionRefusedError" in second["message"]
    assert len(second["message"].encode()) <= 4096


async def test_what_fails_is_worth_another_attempt_and_tells_no_secret(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    receiver.answers = [lambda: web.Response(status=500)]
    down = f"json://user:T0KEN@127.0.0.1:{reserve_port()}/T0KEN"
    for url in (address(receiver), down):
        sender = AppriseSender("chat", url)
        outcome = await sender.send(notification())
        assert isinstance(outcome, Transient)
        assert outcome.reason is SendReason.RECEIVER_FAILED
        assert "T0KEN" not in repr(outcome)
        await sender.aclose()
    assert "T0KEN" not in caplog.text


async def test_a_receiver_that_hangs_is_cut_off_and_holds_no_thread_for_ever(receiver: Receiver) -> None:
    receiver.answers = [Behaviour.HANG]
    sender = AppriseSender("chat", f"{address(receiver)}?rto=86400", send_seconds=0.2)
    outcome = await sender.send(notification())
    assert isinstance(outcome, Transient)
    assert outcome.reason is SendReason.TIMEOUT
    receiver.leaving.set()
    await sender.aclose()

    async def are_gone() -> bool:
        return not any(one.name.startswith("faultwire-apprise") for one in threading.enumerate())

    await until(are_gone, "its threads are over")


def policy_of(line: str, *more: str) -> str:
    return "\n".join(("[receivers.chat]", 'type = "apprise"', line, *more))


async def test_a_scheme_is_used_where_it_is_allowed(receiver: Receiver) -> None:
    text = policy_of(f'url = "{address(receiver)}"', 'schemes = ["json"]')
    policy = parse_policy(text, shipped=shipped_text())
    sender = (await asyncio.to_thread(senders_of, policy, clock=utc_now))["chat"]
    assert await sender.send(notification()) == Sent()
    await sender.aclose()


async def test_without_the_extra_the_check_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    policy = parse_policy(policy_of('url = "tgram://123456789:T0KEN/1"'), shipped=shipped_text())
    with pytest.raises(PolicyFileError) as refused:
        senders_of(policy, clock=utc_now)
    assert "receivers.chat: it needs the extra: pip install 'faultwire[apprise]'" in str(refused.value)


async def test_an_address_that_apprise_cannot_use_is_refused_without_being_told() -> None:
    policy = parse_policy(policy_of('url = "tgram://T0KEN"'), shipped=shipped_text())
    with pytest.raises(PolicyFileError) as refused:
        senders_of(policy, clock=utc_now)
    assert str(refused.value) == "receivers.chat: Apprise cannot use the address"


async def test_apprise_reads_no_file_as_a_template_and_loads_no_code(receiver: Receiver) -> None:
    sender = AppriseSender("chat", address(receiver))
    for service in sender._apprise:
        assert not service.asset.allow_templates
        assert not service.asset.plugin_paths
        assert service.asset.storage_mode == "memory"
