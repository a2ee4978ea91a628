"""A real Alertmanager: alerts fire, are grouped, told, and end with their incidents."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from tests.contract.notify.receiver import Receiver, receiving
from tests.servers import alertmanager as servers
from tests.servers.alertmanager import PrivateAlertmanager
from tests.tools.notification import notification, notified
from tests.tools.waiting import until

from faultwire_consumer.domain.incident import Status
from faultwire_consumer.domain.notification import NotificationKind, NotificationReason
from faultwire_consumer.notify.notification import Notification, NotifiedIncident
from faultwire_consumer.notify.sender import Permanent, Sent
from faultwire_consumer.notify.senders.address import Network
from faultwire_consumer.notify.senders.alarm import ALARMS_MAX
from faultwire_consumer.notify.senders.alertmanager import AlertmanagerSender
from faultwire_consumer.notify.senders.credential import basic
from faultwire_shared.event import ErrorSeverity

LOOPBACK: Sequence[Network] = (ip_network("127.0.0.0/8"),)
NOBODY = "http://127.0.0.1:9"
KEEP_FIRING = timedelta(hours=2)
# "s3cret-Zq" by bcrypt, as Alertmanager's own file of users wants it.
USERS = "basic_auth_users:\n  ana: $2b$04$abcdefghijklmnopqrstuuJ.FraQEOAflmLqpUXMZ0VHcrD4OexDK\n"

pytestmark = [
    pytest.mark.may_block("starts a server, and asks it"),
    pytest.mark.skipif(not servers.is_wanted(), reason="wants Alertmanager (tests/servers/install)"),
]

_numbers = itertools.count(1)

Make = Callable[..., AlertmanagerSender]


@pytest.fixture(scope="module")
def alertmanager() -> Iterator[PrivateAlertmanager]:
    """One for the tests that ask it alone: each has an origin of its own."""
    with servers.alertmanager(NOBODY) as server:
        yield server


@pytest.fixture
def origin() -> str:
    return f"test-{next(_numbers)}"


@pytest.fixture
async def make_sender(origin: str) -> AsyncIterator[Make]:
    made: list[AlertmanagerSender] = []

    def make(url: str, **options: Any) -> AlertmanagerSender:
        given: dict[str, Any] = {
            "origin": origin,
            "keep_firing": KEEP_FIRING,
            "clock": lambda: datetime.now(UTC),
            "allowed_networks": LOOPBACK,
        }
        made.append(AlertmanagerSender("am", url, **given | options))
        return made[-1]

    yield make
    for sender in made:
        await sender.aclose()


def told_of(sink: Receiver) -> list[tuple[str, str]]:
    """What the Alertmanager told its own receiver: each incident with its state, in order."""
    documents = [json.loads(posted.body) for posted in sink.posted]
    return [
        (alert["labels"].get("incident", ""), alert["status"])
        for document in documents
        for alert in document["alerts"]
    ]


async def until_told(sink: Receiver, incident: str, state: str) -> None:
    async def is_told() -> bool:
        return (incident, state) in told_of(sink)

    await until(is_told, f"{incident} is told as {state}")


async def until_delivered(server: PrivateAlertmanager) -> None:
    """It tells of no end whose beginning it could not deliver, be it that the answer came too late."""

    async def is_delivered() -> bool:
        return await asyncio.to_thread(lambda: server.delivered) > 0

    await until(is_delivered, "Alertmanager has its receiver's answer")


def fresh(*incidents: NotifiedIncident, **fields: Any) -> Notification:
    """A notification made a moment ago: the server has a clock of its own."""
    return notification(*incidents, **{"created_at": datetime.now(UTC)} | fields)


async def test_an_alert_fires_is_told_and_ends_when_its_incident_is_resolved(
    make_sender: Make, origin: str
) -> None:
    async with receiving() as sink:
        with servers.alertmanager(sink.url) as server:
            await fire_and_resolve(server, sink, make_sender(server.url), origin)


async def fire_and_resolve(
    alertmanager: PrivateAlertmanager, sink: Receiver, sender: AlertmanagerSender, origin: str
) -> None:
    hostile = notified(17, title='<locals> "quoted" {{ .Labels }}\n\x1b[2J', service="billing <eu>")
    assert await sender.send(fresh(hostile)) == Sent()
    (alert,) = alertmanager.firing(origin)
    assert alert["labels"] == {
        "alertname": "FaultwireIncident",
        "origin": origin,
        "incident": "INC-17",
        "episode": "1",
        "severity": "critical",
        "service": "billing <eu>",
        "environment": "production",
        "category": "external",
        "code": "CARD_GATEWAY_DOWN",
    }
    assert alert["annotations"]["description"] == '<locals> "quoted" {{ .Labels }}\\n\\x1b[2J'
    assert alert["annotations"]["link"] == alert["generatorURL"] == "https://errors.example/incidents/INC-17"
    ends_at = datetime.fromisoformat(alert["endsAt"])
    assert timedelta(hours=1, minutes=50) < ends_at - datetime.now(UTC) <= KEEP_FIRING
    await until_told(sink, "INC-17", "firing")
    await until_delivered(alertmanager)
    over = notified(
        17, reason=NotificationReason.RESOLVED, status=Status.RESOLVED, severity=ErrorSeverity.CRITICAL
    )
    assert await sender.send(fresh(over, reason=NotificationReason.RESOLVED)) == Sent()
    assert alertmanager.firing(origin) == []
    await until_told(sink, "INC-17", "resolved")


async def test_alerts_of_one_service_are_told_together(
    alertmanager: PrivateAlertmanager, make_sender: Make, origin: str
) -> None:
    services = (f"{origin}-a", f"{origin}-a", f"{origin}-b")
    incidents = [notified(number, service=service) for number, service in enumerate(services, start=1)]
    sender = make_sender(alertmanager.url)
    assert await sender.send(fresh(*incidents, kind=NotificationKind.SUMMARY)) == Sent()

    async def is_grouped() -> bool:
        groups = await asyncio.to_thread(alertmanager.groups)
        by_service = {one["labels"].get("service"): len(one["alerts"]) for one in groups}
        return (by_service.get(services[0]), by_service.get(services[2])) == (2, 1)

    await until(is_grouped, "two groups")


async def test_a_repetition_is_one_alert_and_a_rise_of_severity_takes_its_place(
    alertmanager: PrivateAlertmanager, make_sender: Make, origin: str
) -> None:
    sender = make_sender(alertmanager.url)
    low = notified(severity=ErrorSeverity.HIGH)
    for _ in range(2):
        assert await sender.send(fresh(low, severity=ErrorSeverity.HIGH)) == Sent()
    elsewhere = notified(severity=ErrorSeverity.HIGH, environment="staging", count=10)
    assert await sender.send(fresh(elsewhere)) == Sent()
    (alert,) = alertmanager.firing(origin)
    assert (alert["labels"]["environment"], alert["annotations"]["events"]) == ("production", "10")
    rose = notified(severity=ErrorSeverity.CRITICAL, reason=NotificationReason.SEVERITY_ROSE)
    assert await sender.send(fresh(rose)) == Sent()
    assert [one["labels"]["severity"] for one in alertmanager.firing(origin)] == ["critical"]


async def test_the_end_of_an_episode_leaves_the_next_one_s_alert_alone(
    alertmanager: PrivateAlertmanager, make_sender: Make, origin: str
) -> None:
    sender = make_sender(alertmanager.url)
    assert await sender.send(fresh(notified(episode=1))) == Sent()
    assert await sender.send(fresh(notified(episode=2, reason=NotificationReason.REGRESSED))) == Sent()
    assert [one["labels"]["episode"] for one in alertmanager.firing(origin)] == ["2"]
    late = notified(episode=1, reason=NotificationReason.RESOLVED)
    assert await sender.send(fresh(late)) == Sent()
    assert [one["labels"]["episode"] for one in alertmanager.firing(origin)] == ["2"]


async def test_a_hundred_incidents_that_are_resolved_together_all_end(
    alertmanager: PrivateAlertmanager, make_sender: Make, origin: str
) -> None:
    sender = make_sender(alertmanager.url, send_seconds=60.0)
    for first in range(1, 121, ALARMS_MAX):
        some = [notified(number) for number in range(first, first + ALARMS_MAX)]
        assert await sender.send(fresh(*some, kind=NotificationKind.SUMMARY)) == Sent()
    assert len(alertmanager.firing(origin)) == 120
    over = [notified(number, status=Status.RESOLVED) for number in range(1, 121)]
    assert await sender.send(fresh(*over, kind=NotificationKind.SUMMARY)) == Sent()
    assert alertmanager.firing(origin) == []


async def test_what_somebody_has_taken_on_goes_on_firing_and_says_so(
    alertmanager: PrivateAlertmanager, make_sender: Make, origin: str
) -> None:
    sender = make_sender(alertmanager.url)
    assert await sender.send(fresh()) == Sent()
    taken_on = notified(reason=NotificationReason.ACKNOWLEDGED, status=Status.ACKNOWLEDGED)
    assert await sender.send(fresh(taken_on, reason=NotificationReason.ACKNOWLEDGED)) == Sent()
    (alert,) = alertmanager.firing(origin)
    assert alert["annotations"]["status"] == "acknowledged"


async def test_of_two_workers_neither_ends_the_other_s_alerts(
    alertmanager: PrivateAlertmanager, make_sender: Make, origin: str
) -> None:
    one, other = make_sender(alertmanager.url, origin=f"{origin}-shop"), make_sender(alertmanager.url)
    for sender in (one, other):
        assert await sender.send(fresh()) == Sent()
    assert await one.send(fresh(notified(status=Status.RESOLVED))) == Sent()
    assert len(alertmanager.firing(origin)) == 1
    assert alertmanager.firing(f"{origin}-shop") == []


async def test_a_test_leaves_nothing_firing(
    alertmanager: PrivateAlertmanager, make_sender: Make, origin: str
) -> None:
    test = fresh(kind=NotificationKind.TEST, reason=NotificationReason.REQUESTED, incidents=())
    assert await make_sender(alertmanager.url).send(test) == Sent()
    assert alertmanager.firing(origin) == []


async def test_a_long_summary_is_so_many_alerts_and_one_for_the_rest(
    alertmanager: PrivateAlertmanager, make_sender: Make, origin: str
) -> None:
    incidents = [notified(number) for number in range(1, ALARMS_MAX + 6)]
    assert (
        await make_sender(alertmanager.url).send(fresh(*incidents, kind=NotificationKind.SUMMARY)) == Sent()
    )
    names = [alert["labels"]["alertname"] for alert in alertmanager.firing(origin)]
    assert (names.count("FaultwireIncident"), names.count("FaultwireSummary")) == (ALARMS_MAX, 1)
    (rest,) = (one for one in alertmanager.firing(origin) if one["labels"]["alertname"] == "FaultwireSummary")
    assert rest["annotations"]["incidents"] == "INC-21, INC-22, INC-23, INC-24, INC-25"


async def test_a_server_that_asks_for_a_login_gets_it(make_sender: Make, origin: str) -> None:
    with servers.alertmanager(NOBODY, web=USERS, login=("ana", "s3cret-Zq")) as server:
        stranger = await make_sender(server.url).send(fresh())
        assert isinstance(stranger, Permanent)
        assert stranger.detail == "the receiver answered 401 Unauthorized"
        sender = make_sender(server.url, authorization=basic("ana", "s3cret-Zq"))
        assert await sender.send(fresh()) == Sent()
        assert len(server.firing(origin)) == 1


async def test_what_is_no_alertmanager_is_told_so(receiver: Receiver, make_sender: Make) -> None:
    outcome = await make_sender(receiver.url).send(fresh())
    assert isinstance(outcome, Permanent)
    assert outcome.detail == "it does not answer as an Alertmanager does"
