"""PagerDuty, Opsgenie, Slack, chats of its format and ntfy: stand-ins that take what is documented alone."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from ipaddress import ip_network
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contract.notify import vendor as vendors
from tests.contract.notify.receiver import Receiver
from tests.contract.notify.vendor import TOKEN, Document, Vendor, seen_in_slack, standing_in, strings_of
from tests.tools.clock import FixedClock
from tests.tools.notification import digest, notification, notified

from faultwire_consumer.domain.incident import Status
from faultwire_consumer.domain.notification import NotificationKind, NotificationReason
from faultwire_consumer.domain.policy.receiver.slack import Chat
from faultwire_consumer.notify.notification import Notification
from faultwire_consumer.notify.sender import Permanent, Sender, Sent, Transient
from faultwire_consumer.notify.senders.alarm import ALARMS_MAX, alarms_of
from faultwire_consumer.notify.senders.ntfy import NtfySender, publication_of
from faultwire_consumer.notify.senders.opsgenie import OpsgenieSender, alert_of
from faultwire_consumer.notify.senders.pagerduty import PagerDutySender, event_of
from faultwire_consumer.notify.senders.slack import SlackSender
from faultwire_consumer.notify.senders.slack_attachment import attachment_message
from faultwire_consumer.notify.senders.slack_block import block_message
from faultwire_consumer.notify.senders.surface import as_markdown, as_markdown_entity
from faultwire_shared.event import ErrorSeverity

LOOPBACK = (ip_network("127.0.0.0/8"),)
ROUTING_KEY = "R0UTING0KEY0OF0THE0TESTS00000000"

Start = Callable[[], AbstractAsyncContextManager[tuple[Vendor, Sender]]]


@asynccontextmanager
async def pagerduty() -> AsyncIterator[tuple[Vendor, Sender]]:
    async with standing_in(vendors.pagerduty, status=202) as vendor:
        yield vendor, _opened(PagerDutySender, f"{vendor.url}/v2/enqueue", routing_key=ROUTING_KEY)


@asynccontextmanager
async def opsgenie() -> AsyncIterator[tuple[Vendor, Sender]]:
    async with standing_in(vendors.opsgenie, status=202) as vendor:
        yield vendor, _opened(OpsgenieSender, f"{vendor.url}/", api_key=TOKEN)


@asynccontextmanager
async def chat(kind: Chat) -> AsyncIterator[tuple[Vendor, Sender]]:
    handler, path = (vendors.slack, "services") if kind is Chat.SLACK else (vendors.slack_like, "hooks")
    async with standing_in(handler, status=200) as vendor:
        url = f"{vendor.url}/{path}/{TOKEN}"
        sender = SlackSender("chat", url, clock=FixedClock(), chat=kind, allowed_networks=LOOPBACK)
        yield vendor, sender


@asynccontextmanager
async def ntfy() -> AsyncIterator[tuple[Vendor, Sender]]:
    async with standing_in(vendors.ntfy, status=200) as vendor:
        url = f"{vendor.url}/alerts_17"
        clock = FixedClock()
        sender = NtfySender(
            "phone", url, clock=clock, authorization=f"Bearer {TOKEN}", allowed_networks=LOOPBACK
        )
        yield vendor, sender


def _opened(kind: Callable[..., Sender], url: str, **options: Any) -> Sender:
    return kind("pager", url, origin="faultwire", clock=FixedClock(), allowed_networks=LOOPBACK, **options)


PAGERS = pytest.mark.parametrize("start", [pagerduty, opsgenie])
CHATS = pytest.mark.parametrize("kind", list(Chat))
EVERYBODY = pytest.mark.parametrize(
    "start",
    [pagerduty, opsgenie, ntfy, *(partial(chat, kind) for kind in Chat)],
    ids=["pagerduty", "opsgenie", "ntfy", *Chat],
)
TEST = notification(
    kind=NotificationKind.TEST, reason=NotificationReason.REQUESTED, incidents=(), severity=ErrorSeverity.LOW
)
SEVERAL = notification(
    *(notified(number) for number in range(1, 4)),
    kind=NotificationKind.SUMMARY,
    reason=NotificationReason.STORM,
)


async def taken_by(start: Start, *notifications: Notification) -> Vendor:
    """Send them all; what the stand-in has then."""
    async with start() as (vendor, sender):
        for one in notifications:
            outcome = await sender.send(one)
            assert outcome == Sent(), (outcome, vendor.refused)
        await sender.aclose()
    assert vendor.refused == []
    return vendor


@EVERYBODY
@pytest.mark.parametrize(
    "sent",
    [
        notification(),
        SEVERAL,
        notification(*(notified(n) for n in range(1, 200)), kind=NotificationKind.SUMMARY),
        digest(notified(recent_count=3), notified(2, muted="for ever", held_back=3)),
        digest(),
        TEST,
        notification(public_url=None),
        notification(notified(environment="", code="", culprit="", category="", release=None, event_id=None)),
    ],
    ids=["one", "several", "many", "digest", "empty digest", "test", "no page", "little is known"],
)
async def test_every_kind_of_notification_is_what_the_service_documents(
    start: Start, sent: Notification
) -> None:
    await taken_by(start, sent)


@PAGERS
async def test_an_alert_is_raised_taken_on_and_ended_with_its_incident(start: Start) -> None:
    reason = NotificationReason
    taken_on = notified(reason=reason.ACKNOWLEDGED, status=Status.ACKNOWLEDGED)
    over = notified(reason=reason.RESOLVED, status=Status.RESOLVED)
    vendor = await taken_by(start, notification(), notification())
    assert list(vendor.open) == ["faultwire:INC-1:1"], "a repetition is one alert"
    vendor = await taken_by(start, notification(), notification(taken_on, reason=reason.ACKNOWLEDGED))
    assert vendor.acknowledged == {"faultwire:INC-1:1"}
    vendor = await taken_by(start, notification(), notification(over, reason=reason.RESOLVED))
    assert vendor.open == {}


@PAGERS
async def test_the_end_of_an_episode_leaves_the_next_one_s_alert_alone(start: Start) -> None:
    back = notified(episode=2, reason=NotificationReason.REGRESSED)
    late = notified(episode=1, reason=NotificationReason.RESOLVED)
    vendor = await taken_by(start, notification(back), notification(late))
    assert list(vendor.open) == ["faultwire:INC-1:2"]


@PAGERS
async def test_an_old_notification_that_is_sent_late_raises_no_alert_for_what_is_over(start: Start) -> None:
    vendor = await taken_by(start, notification(notified(status=Status.RESOLVED)))
    assert vendor.open == {}


@PAGERS
async def test_a_summary_is_an_alert_for_each_incident_and_one_for_the_rest(start: Start) -> None:
    incidents = [notified(number) for number in range(1, ALARMS_MAX + 4)]
    vendor = await taken_by(start, notification(*incidents, kind=NotificationKind.SUMMARY))
    single = [key for key in vendor.open if ":INC-" in key]
    (rest,) = (document for key, document in vendor.open.items() if key not in single)
    assert len(single) == ALARMS_MAX
    assert "INC-21, INC-22, INC-23" in "\n".join(strings_of(rest))


@PAGERS
async def test_what_a_digest_tells_of_as_muted_or_silenced_calls_nobody(start: Start) -> None:
    vendor = await taken_by(
        start, digest(notified(1, muted="for ever"), notified(2, silenced=3), notified(3))
    )
    assert list(vendor.open) == ["faultwire:INC-3:1"]


@PAGERS
async def test_a_test_raises_an_alert_and_ends_it(start: Start) -> None:
    vendor = await taken_by(start, TEST)
    assert len(vendor.taken) == 2
    assert vendor.open == {}


async def test_a_service_that_limits_requests_is_not_sent_again_what_it_has_taken(
    receiver: Receiver,
) -> None:
    well, busy = (partial(web.Response, status=status) for status in (202, 429))
    sender = _opened(PagerDutySender, receiver.url, routing_key=ROUTING_KEY)
    several = notification(*(notified(number) for number in range(1, 6)), kind=NotificationKind.SUMMARY)
    receiver.answers = [well, well, busy]
    outcome = await sender.send(several)
    assert isinstance(outcome, Transient)
    assert len(receiver.posted) == 5
    receiver.answers = [well]
    assert await sender.send(several) == Sent()
    assert len(receiver.posted) == 5 + 3
    await sender.aclose()


async def test_an_incident_that_is_refused_is_told_and_the_others_are_alerts(receiver: Receiver) -> None:
    well, refused = (partial(web.Response, status=status) for status in (202, 400))
    sender = _opened(OpsgenieSender, receiver.url, api_key=TOKEN)
    receiver.answers = [well, refused, well]
    outcome = await sender.send(SEVERAL)
    assert isinstance(outcome, Permanent)
    assert outcome.detail == "1 of 3 alerts: the receiver answered 400 Bad Request"
    assert len(receiver.posted) == 3
    await sender.aclose()


@EVERYBODY
async def test_each_attempt_has_the_notification_s_key(start: Start) -> None:
    vendor = await taken_by(start, notification(), notification())
    assert set(vendor.keys) == {"n_17"}


@CHATS
async def test_a_chat_shows_names_in_angle_brackets_as_they_are_and_calls_nobody(kind: Chat) -> None:
    hostile = "<locals> & <!channel> <@U1> @here x@everyone *bold* <https://evil.example|INC-1>"
    vendor = await taken_by(partial(chat, kind), notification(notified(title=hostile)))
    (document,) = vendor.taken
    written = "\n".join(strings_of(document))
    assert not re.search(r"(?<!\\)<", written), "nothing that a chat takes for a mention or link"
    assert "@here" not in written
    assert "@everyone" not in written
    shown = seen_in_slack(document) if kind is Chat.SLACK else _read_as_markdown(seen_in_slack(document))
    assert "<locals> & <!channel>" in shown.replace("\N{ZERO WIDTH SPACE}", "")


async def test_slack_shows_where_to_look_and_how_bad_it_is() -> None:
    (document,) = (await taken_by(partial(chat, Chat.SLACK), notification())).taken
    (header,) = document["blocks"]
    assert header["text"]["text"].startswith("[critical] INC-1 new: billing: ConnectionRefusedError")
    (attachment,) = document["attachments"]
    assert attachment["color"] == "#b3123b"
    buttons = [one for block in attachment["blocks"] for one in block.get("elements", ()) if "url" in one]
    assert [one["url"] for one in buttons] == [
        "https://errors.example/incidents/INC-1",
        "https://errors.example/e/error_20261123_k3v9x2m7q4w8r1t6",
    ]


async def test_a_phone_gets_a_title_a_priority_and_the_page() -> None:
    (document,) = (await taken_by(ntfy, notification(notified(title="Ünïcødé ☃")))).taken
    assert document["title"] == "[critical] INC-1 new: billing: Ünïcødé ☃"
    assert (document["topic"], document["priority"]) == ("alerts_17", 5)
    assert document["click"] == "https://errors.example/incidents/INC-1"


TEXTS = st.text(max_size=400) | st.sampled_from(
    ["<" * 4000, "&" * 4000, "\\`*_" * 1000, "@here " * 500, "☃" * 5000]
)
INCIDENTS = st.builds(
    notified,
    title=TEXTS,
    service=TEXTS,
    environment=TEXTS,
    culprit=TEXTS,
    code=TEXTS,
    category=st.sampled_from(["system", "external"]),
    release=st.none() | TEXTS,
    severity=st.sampled_from(list(ErrorSeverity)),
    count=st.integers(1, 10**15),
)
NOTIFICATIONS = st.builds(
    lambda incidents, **fields: notification(*incidents, **fields),
    st.lists(INCIDENTS, min_size=1, max_size=4).map(lambda few: few * 8),
    detail=TEXTS,
    rule=TEXTS,
    kind=st.sampled_from([NotificationKind.INCIDENT, NotificationKind.SUMMARY, NotificationKind.DIGEST]),
)


@given(NOTIFICATIONS)
@settings(max_examples=15)
def test_whatever_an_event_says_each_message_keeps_to_its_bounds(sent: Notification) -> None:
    vendors.SLACK.validate(block_message(sent))
    for escape in (as_markdown, as_markdown_entity):
        message = attachment_message(sent, escape)
        vendors.ATTACHMENTS.validate(message)
        assert len("".join(strings_of(message))) <= 6000
    published = publication_of(sent)
    vendors.NTFY.validate({"topic": "a"} | published)
    assert len(published["message"].encode()) <= 4096
    for alarm in alarms_of(sent, "faultwire"):
        vendors.PAGERDUTY.validate({"routing_key": ROUTING_KEY} | event_of(sent, alarm))
        alert = alert_of(sent, alarm)
        vendors.OPSGENIE_ALERT.validate(alert)
        assert sum(map(len, alert["details"].values())) <= 8000


@given(TEXTS)
@settings(max_examples=15)
def test_no_control_code_or_mention_of_an_event_reaches_a_chat(title: str) -> None:
    for document in _messages(notification(notified(title=title))):
        written = "\n".join(strings_of(document)).replace("\n", "").replace("\N{ZERO WIDTH SPACE}", "")
        assert written.isprintable()
        assert not re.search(r"(?<!\\)<|@here", "\n".join(strings_of(document)))


def _messages(sent: Notification) -> list[Document]:
    return [
        block_message(sent),
        *(attachment_message(sent, escape) for escape in (as_markdown, as_markdown_entity)),
    ]


def _read_as_markdown(text: str) -> str:
    """Take off the backslashes, as a reader of Markdown does."""
    return text.replace("\\\\", "\0").replace("\\", "").replace("\0", "\\")
