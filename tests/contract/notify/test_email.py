"""Mails to a real server that takes, refuses, hangs and breaks off, read back from its mailboxes."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from email.utils import parsedate_to_datetime
from ipaddress import ip_network
from typing import Any

import pytest
from tests.servers.process import reserve_port
from tests.tools.clock import FixedClock
from tests.tools.mail_server import (
    PASSWORD,
    USERNAME,
    Certificate,
    MailServer,
    mail_server,
    make_certificate,
)
from tests.tools.notification import digest, notification, notified
from tests.tools.waiting import until

from faultwire_consumer.domain.notification import NotificationKind, NotificationReason
from faultwire_consumer.domain.policy.receiver.email import Security
from faultwire_consumer.notify.sender import Outcome, Permanent, SendReason, Sent, Transient
from faultwire_consumer.notify.senders import email
from faultwire_consumer.notify.senders.email import EmailSender
from faultwire_consumer.notify.wording.mail import Envelope

LOOPBACK = (ip_network("127.0.0.1"),)
ANN, BOB = "ann@example.com", "bob@example.com"
ENVELOPE = Envelope(sender="errors@example.com", sender_name="Errors", to=(ANN, BOB))
IMPATIENT_SECONDS = 0.3
"""For an attempt that has to fail by time."""

Make = Callable[..., EmailSender]
Serve = Callable[..., Any]


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("certificates"), "127.0.0.1")


@pytest.fixture(scope="module")
def anothers(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("certificates"), "elsewhere.example")


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    async with AsyncExitStack() as stack:

        async def start(*arguments: Any, **options: Any) -> MailServer:
            return await stack.enter_async_context(mail_server(*arguments, **options))

        yield start


@pytest.fixture
async def plain(serve: Serve) -> MailServer:
    """A server that speaks no TLS."""
    server: MailServer = await serve()
    return server


@pytest.fixture
def make_sender(clock: FixedClock) -> Make:
    def make(server: MailServer, security: Security = Security.NONE, **options: Any) -> EmailSender:
        names = ("host", "port", "username", "password", "allow_unencrypted")
        own = {name: options.pop(name) for name in names if name in options}
        usual: dict[str, Any] = {"host": "127.0.0.1", "port": server.port, "security": security}
        way = email.MailServer(**usual | own)
        given: dict[str, Any] = {"clock": clock, "allowed_networks": LOOPBACK}
        envelope = options.pop("envelope", ENVELOPE)
        return EmailSender("team", way, envelope, **given | options)

    return make


async def test_a_mail_arrives_in_every_mailbox_with_a_text_and_a_page(
    plain: MailServer, make_sender: Make, clock: FixedClock
) -> None:
    assert await make_sender(plain).send(notification()) == Sent()
    (mail,) = plain.mailbox(ANN)
    assert plain.mailbox(BOB) == [mail]
    assert mail["Subject"] == "[critical] INC-1 billing: ConnectionRefusedError: port 4000"
    assert (mail["From"], mail["To"]) == ("Errors <errors@example.com>", f"{ANN}, {BOB}")
    assert parsedate_to_datetime(mail["Date"]) == clock().replace(microsecond=0)
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["X-Faultwire-Incident"] == "INC-1"
    assert mail.get_content_type() == "multipart/alternative"
    text, html = (mail.get_body((kind,)).get_content() for kind in ("plain", "html"))  # type: ignore[union-attr]  # both are there
    assert "ConnectionRefusedError: port 4000" in text
    assert "https://errors.example/incidents/INC-1" in text
    assert 'href="https://errors.example/incidents/INC-1"' in html
    (received,) = plain.received
    assert received.sender == "errors@example.com"
    assert max(map(len, received.raw.splitlines())) <= 998
    assert received.raw.isascii()


@pytest.mark.parametrize("security", [Security.STARTTLS, Security.TLS])
async def test_it_goes_over_tls_after_a_sign_in(
    serve: Serve, make_sender: Make, ours: Certificate, security: Security
) -> None:
    server = await serve(ours, implicit=security is Security.TLS)
    sender = make_sender(server, security, username=USERNAME, password=PASSWORD, tls=ours.client_context())
    assert await sender.send(notification()) == Sent()
    (received,) = server.received
    assert received.is_encrypted
    assert received.signed_in


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
async def test_it_signs_in_by_what_the_server_offers(
    serve: Serve, make_sender: Make, ours: Certificate, mechanism: str
) -> None:
    others = {"PLAIN", "LOGIN", "CRAM-MD5"} - {mechanism}
    server = await serve(ours, without=tuple(others))
    sender = make_sender(
        server, Security.STARTTLS, username=USERNAME, password=PASSWORD, tls=ours.client_context()
    )
    assert await sender.send(notification()) == Sent()
    assert server.mechanisms == {mechanism}


async def test_a_server_whose_starttls_is_gone_gets_nothing(plain: MailServer, make_sender: Make) -> None:
    sender = make_sender(plain, Security.STARTTLS, username=USERNAME, password=PASSWORD)
    outcome = await sender.send(notification())
    assert _told(outcome) == ("transient", SendReason.TLS_FAILED)
    assert "MAIL" not in plain.commands
    assert plain.mechanisms == set()


@pytest.mark.parametrize("implicit", [True, False])
@pytest.mark.parametrize("whose", ["unknown", "anothers"])
async def test_a_certificate_that_nobody_vouches_for_ends_the_attempt(
    serve: Serve, make_sender: Make, ours: Certificate, anothers: Certificate, *, implicit: bool, whose: str
) -> None:
    shown = ours if whose == "unknown" else anothers
    trusted = ssl.create_default_context() if whose == "unknown" else anothers.client_context()
    server = await serve(shown, implicit=implicit)
    security = Security.TLS if implicit else Security.STARTTLS
    outcome = await make_sender(server, security, tls=trusted).send(notification())
    assert _told(outcome) == ("transient", SendReason.TLS_FAILED)
    assert server.received == []


async def test_a_server_without_tls_where_it_should_be_is_told_apart_from_one_that_is_away(
    plain: MailServer, make_sender: Make
) -> None:
    outcome = await make_sender(plain, Security.TLS).send(notification())
    assert _told(outcome) == ("transient", SendReason.TLS_FAILED)


ANSWERS = [
    ("CONNECT", "421 4.3.2 too many of you", "transient", SendReason.BUSY),
    ("CONNECT", "554 5.7.1 go away", "permanent", SendReason.REFUSED),
    ("MAIL", "451 4.7.1 come back later", "transient", SendReason.BUSY),
    ("MAIL", "550 5.7.1 not from you", "permanent", SendReason.REFUSED),
    ("RCPT", "450 4.2.0 greylisted", "transient", SendReason.BUSY),
    ("RCPT", "550 5.1.1 nobody of that name", "permanent", SendReason.REFUSED),
    ("DATA", "452 4.3.1 disk full", "transient", SendReason.BUSY),
    ("DATA", "554 5.6.0 looks like spam", "permanent", SendReason.REFUSED),
    ("AUTH", "535 5.7.8 wrong", "permanent", SendReason.REFUSED),
    ("AUTH", "454 4.7.0 not now", "transient", SendReason.BUSY),
]


@pytest.mark.parametrize("said", ANSWERS, ids=lambda said: f"{said[0]} {said[1]}")
async def test_a_4xx_gets_another_attempt_and_a_5xx_none(
    plain: MailServer, make_sender: Make, said: tuple[str, str, str, SendReason]
) -> None:
    at, answer, outcome, reason = said
    plain.answers[at] = answer
    told = await make_sender(plain, username=USERNAME, password=PASSWORD).send(notification())
    assert _told(told) == (outcome, reason)
    assert answer[:9] in told.detail, "code and enhanced code"
    assert answer[10:] not in told.detail, "a server's words may hold addresses"
    assert plain.received == []


async def test_a_recipient_that_is_refused_is_told_of_and_the_others_have_it(
    plain: MailServer, make_sender: Make
) -> None:
    plain.answers[BOB] = f"550 5.1.1 {BOB} unknown"
    outcome = await make_sender(plain).send(notification())
    assert isinstance(outcome, Sent)
    assert outcome.detail.endswith("took it for 1 of 2 recipients: 550 5.1.1 for recipient 2")
    assert len(plain.mailbox(ANN)) == 1
    assert plain.mailbox(BOB) == []


async def test_who_has_a_mail_does_not_get_it_again_when_another_has_to_wait(
    plain: MailServer, make_sender: Make
) -> None:
    plain.answers[BOB] = "450 4.2.0 greylisted"
    sender = make_sender(plain)
    first = await sender.send(notification())
    assert _told(first) == ("transient", SendReason.BUSY)
    del plain.answers[BOB]
    assert await sender.send(notification()) == Sent()
    (ann,), (bob,) = plain.mailbox(ANN), plain.mailbox(BOB)
    assert ann["Message-ID"] == bob["Message-ID"]
    assert await sender.send(notification()) == Sent(), "an operator had it sent again: to both"
    assert len(plain.mailbox(ANN)) == len(plain.mailbox(BOB)) == 2


@pytest.mark.parametrize("at", ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA"])
async def test_a_server_that_hangs_is_cut_off(plain: MailServer, make_sender: Make, at: str) -> None:
    plain.hangs_at = at
    sender = make_sender(plain, send_seconds=IMPATIENT_SECONDS)
    assert _told(await sender.send(notification())) == ("transient", SendReason.TIMEOUT)


@pytest.mark.parametrize("at", ["EHLO", "MAIL", "RCPT", "DATA"])
async def test_a_connection_that_breaks_gets_another_attempt(
    plain: MailServer, make_sender: Make, at: str
) -> None:
    plain.drops_at = at
    outcome = await make_sender(plain).send(notification())
    assert _told(outcome) == ("transient", SendReason.CONNECTION_LOST)


@pytest.mark.parametrize("trouble", ["hangs_at", "drops_at"])
async def test_what_the_server_has_is_sent_however_it_says_goodbye(
    plain: MailServer, make_sender: Make, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(email, "LEAVE_SECONDS", 0.2)
    setattr(plain, trouble, "QUIT")
    sender = make_sender(plain)
    assert await sender.send(notification()) == Sent()
    assert len(plain.received) == 1


async def test_nothing_that_listens_is_unreachable(plain: MailServer, make_sender: Make) -> None:
    outcome = await make_sender(plain, port=reserve_port()).send(notification())
    assert _told(outcome) == ("transient", SendReason.UNREACHABLE)
    outcome = await make_sender(plain, host="mail.invalid").send(notification())
    assert _told(outcome) == ("transient", SendReason.UNREACHABLE)


async def test_no_mail_goes_inside_this_network_unless_it_may(plain: MailServer, make_sender: Make) -> None:
    for host in ("127.0.0.1", "localhost"):
        outcome = await make_sender(plain, host=host, allowed_networks=()).send(notification())
        assert _told(outcome) == ("permanent", SendReason.ADDRESS_REFUSED)
    assert plain.commands == []


async def test_no_mail_leaves_this_network_without_tls_unless_it_may(
    plain: MailServer, make_sender: Make
) -> None:
    sender = make_sender(plain, host="192.0.1.1", allowed_networks=())
    outcome = await sender.send(notification())
    assert _told(outcome) == ("permanent", SendReason.ADDRESS_REFUSED)
    assert "TLS alone" in outcome.detail


async def test_a_server_sees_few_connections_at_once(plain: MailServer, make_sender: Make) -> None:
    plain.pausing = asyncio.Event()
    sender = make_sender(plain)
    notices = [notification(idempotency_key=f"n_{number}") for number in range(6)]
    sending = [asyncio.create_task(sender.send(one)) for one in notices]

    async def are_busy() -> bool:
        return plain.commands.count("DATA") == email.CONNECTIONS

    await until(are_busy, "two mails wait")
    plain.pausing.set()
    assert await asyncio.gather(*sending) == [Sent()] * 6
    assert plain.most_open <= email.CONNECTIONS
    assert len({mail["Message-ID"] for mail in plain.mails}) == 6


async def test_a_repetition_is_recognisable_and_an_incident_is_one_thread(
    plain: MailServer, make_sender: Make, clock: FixedClock
) -> None:
    sender = make_sender(plain)
    grown = notification(notified(count=100), idempotency_key="n_18", reason=NotificationReason.GROWTH)
    other = notification(notified(2), idempotency_key="n_19")
    many = notification(notified(), notified(2), idempotency_key="n_20", kind=NotificationKind.SUMMARY)
    for one in (notification(), notification(), grown, other, many):
        await sender.send(one)
        clock.advance(timedelta(minutes=5))
    first, again, growth, another, summary = plain.mails
    assert first["Message-ID"] == again["Message-ID"] != growth["Message-ID"]
    assert first["References"] == growth["References"] == growth["In-Reply-To"]
    assert first["Subject"] == growth["Subject"], "some programs make threads by subjects"
    assert another["References"] not in (None, first["References"])
    assert summary["References"] is None


async def test_a_digest_says_how_to_be_rid_of_it(plain: MailServer, make_sender: Make) -> None:
    envelope = Envelope(
        sender="errors@example.com",
        sender_name="Errors",
        to=(ANN,),
        reply_to=BOB,
        unsubscribe_mailto=BOB,
        unsubscribe_url=f"https://lists.example/{'x' * 200}",
    )
    sender = make_sender(plain, envelope=envelope)
    await sender.send(digest(notified()))
    await sender.send(notification())
    of_digest, of_incident = plain.mails
    ways = f"<https://lists.example/{'x' * 200}>, <mailto:{BOB}?subject=unsubscribe>"
    assert of_digest["List-Unsubscribe"] == ways
    assert of_digest["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert of_digest["Reply-To"] == BOB
    assert of_incident["List-Unsubscribe"] is None


async def test_no_outcome_tells_an_address_or_a_password(
    plain: MailServer, make_sender: Make, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    told: list[str] = []
    for at in ("MAIL", "RCPT", "DATA", "AUTH"):
        plain.answers = {at: f"550 5.1.1 {ANN} {BOB} errors@example.com {USERNAME} {PASSWORD}"}
        outcome = await make_sender(plain, username=USERNAME, password=PASSWORD).send(notification())
        told.append(repr(outcome))
    seen = "\n".join([*told, caplog.text])
    for secret in (ANN, BOB, "errors@example.com", PASSWORD):
        assert secret not in seen


def _told(outcome: Outcome) -> tuple[str, SendReason]:
    assert isinstance(outcome, Transient | Permanent), outcome
    return outcome.name.value, outcome.reason
