"""What a webhook is made of: its signature, the addresses it may go to, and what an answer means."""

import base64
from datetime import UTC, datetime
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultwire_consumer.domain.sending import ASKED_SECONDS_MAX
from faultwire_consumer.notify.sender import Outcome, Permanent, SendReason, Sent, Transient
from faultwire_consumer.notify.senders.address import may_connect
from faultwire_consumer.notify.senders.answer import judge
from faultwire_consumer.notify.senders.signature import parse_secret, sign

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def test_the_signature_is_the_one_that_the_standard_s_own_libraries_publish() -> None:
    key = parse_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signature = sign(
        key,
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp=1614265330,
        payload=b'{"test": 2432232314}',
    )
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    "secret", ["whsec_", "whsec_c2hvcnQ=", "whsec_%%%", "plain words", "whsec_" + "A" * 100]
)
def test_a_secret_that_is_none_is_refused_without_being_told(secret: str) -> None:
    with pytest.raises(ValueError, match=r"a webhook's secret") as failure:
        parse_secret(secret)
    rest = secret.removeprefix("whsec_")
    assert not rest or rest not in str(failure.value)


@given(st.binary(min_size=24, max_size=64))
def test_a_secret_is_read_with_and_without_its_prefix(key: bytes) -> None:
    text = base64.b64encode(key).decode()
    assert parse_secret(text) == parse_secret(f"whsec_{text}") == key


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.255.254",
        "0.0.0.0",  # noqa: S104 - an address to refuse, not one to listen on
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "198.18.0.1",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::7f00:1",
        "2002:7f00:1::",
        "2001:0:7f00:1::",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
        "2001:db8::1",
    ],
)
def test_nothing_inside_may_be_connected_to(address: str) -> None:
    assert not may_connect(address, ())


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"]
)
def test_the_outside_may_be_connected_to(address: str) -> None:
    assert may_connect(address, ())


def test_an_allowed_network_opens_itself_and_nothing_else() -> None:
    allowed = (ip_network("10.1.0.0/16"), ip_network("fd00::/8"))
    assert may_connect("10.1.2.3", allowed)
    assert may_connect("::ffff:10.1.2.3", allowed)
    assert may_connect("fd00::1", allowed)
    assert not may_connect("10.2.0.1", allowed)
    assert not may_connect("127.0.0.1", allowed)
    assert not may_connect("fe80::1", allowed)


@given(st.ip_addresses())
def test_every_address_has_an_answer_and_none_that_python_calls_private_is_let_through(
    address: object,
) -> None:
    number = ip_network(str(address)).network_address
    if may_connect(str(address), ()):
        assert not number.is_loopback
        assert not number.is_link_local
        assert not number.is_multicast
        assert not number.is_unspecified


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_sent(status: int) -> None:
    assert _judge(status) == Sent()


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (301, SendReason.REDIRECTED),
        (308, SendReason.REDIRECTED),
        (400, SendReason.REFUSED),
        (404, SendReason.REFUSED),
        (410, SendReason.GONE),
        (499, SendReason.REFUSED),
    ],
)
def test_what_will_never_be_taken_is_permanent(status: int, reason: SendReason) -> None:
    outcome = _judge(status)
    assert isinstance(outcome, Permanent)
    assert outcome.reason is reason
    assert str(status) in outcome.detail


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        ("9" * 400, ASKED_SECONDS_MAX),
        ("Mon, 23 Nov 2026 12:00:30 GMT", 30.0),
        ("Mon, 23 Nov 2026 12:00:30 -0000", 30.0),
        ("Mon, 23 Nov 2026 11:00:00 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", ASKED_SECONDS_MAX),
        ("soon", None),
        ("-5", None),
        ("1.5", 1.5),
        ("1.", None),
        (".5", None),
        ("1e3", None),
        ("Mon, 99 Nov 2026 12:00:30 GMT", None),
        (None, None),
    ],
)
def test_the_receiver_s_wish_to_wait_is_read_as_seconds_or_as_a_date(
    header: str | None, seconds: float | None
) -> None:
    for status in (429, 503):
        outcome = _judge(status, retry_after=header)
        assert isinstance(outcome, Transient)
        assert outcome.reason is SendReason.BUSY
        assert outcome.after_seconds == seconds


@given(st.text())
def test_no_header_of_an_answer_breaks_its_judgement_or_gets_onto_a_line_of_its_own(text: str) -> None:
    assert isinstance(_judge(429, retry_after=text), Transient)
    redirected = _judge(302, location=text)
    assert isinstance(redirected, Permanent)
    assert redirected.detail.isprintable()


def test_a_redirect_tells_the_host_and_neither_path_nor_password() -> None:
    outcome = _judge(302, location="https://user:geheim@inside.example:8443/hook/T0KEN?key=T0KEN")
    assert isinstance(outcome, Permanent)
    assert "https://inside.example:8443" in outcome.detail
    assert "geheim" not in outcome.detail
    assert "T0KEN" not in outcome.detail


def _judge(status: int, *, retry_after: str | None = None, location: str | None = None) -> Outcome:
    return judge(status, retry_after=retry_after, location=location, now=NOW)
