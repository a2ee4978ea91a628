"""A notification as a mail: whatever strangers write, it has the headers that it should have and no other."""

from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tools.notification import NOON, digest, notification, notified

from faultwire_consumer.domain.digest.facts import (
    DigestChart,
    DigestFacts,
    DigestLine,
    DigestPart,
    DigestRanking,
    DigestSection,
    DigestSectionKind,
    DigestTally,
    HeldSum,
)
from faultwire_consumer.domain.incident import Status
from faultwire_consumer.domain.notification import NotificationKind, NotificationReason
from faultwire_consumer.domain.sending import StageReason
from faultwire_consumer.notify.notification import Notification, SilencedPart, Wording
from faultwire_consumer.notify.wording.mail import Envelope, mail_of
from faultwire_consumer.notify.wording.values import INCIDENTS_SHOWN
from faultwire_shared.event import ErrorSeverity

ENVELOPE = Envelope(
    sender="errors@example.com",
    sender_name="Errors",
    to=("ann@example.com",),
    unsubscribe_mailto="lists@example.com",
)
HEADERS = [
    *("Date", "Message-ID", "In-Reply-To", "References", "Auto-Submitted", "X-Auto-Response-Suppress"),
    *("Importance", "X-Mailer", "X-Faultwire-Key", "X-Faultwire-Kind", "X-Faultwire-Reason"),
    *("X-Faultwire-Severity", "X-Faultwire-Rule", "X-Faultwire-Receiver", "X-Faultwire-Incident"),
    *("X-Faultwire-Service", "X-Faultwire-Environment", "Subject", "From", "To", "MIME-Version"),
    "Content-Type",
]
HOSTILE = st.text(
    st.one_of(
        st.characters(), st.sampled_from("\r\n\t\0 :=?_<>@,;\"'\\\x0b\x0c\x1c\x85\u2028\u2029\ud800\u202e")
    ),
    max_size=300,
)


def parsed(told: Notification) -> EmailMessage:
    mail = message_from_bytes(mail_of(told, ENVELOPE, now=NOON), policy=policy.default)
    assert isinstance(mail, EmailMessage)
    return mail


def bodies(mail: EmailMessage) -> tuple[str, str]:
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert html is not None
    return text.get_content(), html.get_content()


@given(hostile=HOSTILE, other=HOSTILE)
def test_no_text_of_an_event_makes_a_header_or_a_recipient(hostile: str, other: str) -> None:
    told = notification(
        notified(title=hostile, service=other or "x", environment=hostile, culprit=other, code=hostile),
        rule=other,
        detail=hostile,
        receiver=hostile,
    )
    raw = mail_of(told, ENVELOPE, now=NOON)
    mail = message_from_bytes(raw, policy=policy.default)
    assert [name for name in mail if name not in HEADERS] == []
    assert len(set(mail.keys())) == len(mail.keys())
    assert mail["To"] == "ann@example.com"
    assert mail["From"] == "Errors <errors@example.com>"
    assert raw.isascii()
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert b"\r" not in raw.replace(b"\r\n", b"")
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert mail["Subject"].startswith("[critical] INC-1 ")
    assert str(mail["Subject"]).isprintable()
    assert [part.get_content_type() for part in mail.walk()] == [
        *("multipart/alternative", "text/plain", "text/html")
    ]


@given(hostile=HOSTILE)
def test_what_an_event_says_is_text_in_the_page_of_a_mail(hostile: str) -> None:
    plain = notification(notified(title="x", service="x"), public_url=None)
    told = notification(
        notified(title=f"<b onclick=x>{hostile}</b><script>", service=f"'\"><img src=x>{hostile}"),
        public_url=None,
    )
    usual, html = (bodies(parsed(one))[1] for one in (plain, told))
    for sign in ("<b ", "<b>", "<script", "<img", "</b>"):
        assert html.count(sign) == usual.count(sign)
    assert html.count("<") == usual.count("<")


def test_a_mail_about_one_incident_shows_where_it_crashed() -> None:
    frames = ("billing/pay.py:10 in charge.<locals>.pay", "billing/app.py:3 in main\r\nBcc: x")
    text, html = bodies(parsed(notification(frames=frames)))
    lines = text.splitlines()
    first = lines.index("  calls     billing/pay.py:10 in charge.<locals>.pay")
    assert lines[first + 1] == "            billing/app.py:3 in main\\r\\nBcc: x"
    assert ">billing/pay.py:10 in charge.&lt;locals&gt;.pay</p>" in html


def test_the_text_says_a_title_as_it_was_written() -> None:
    text, html = bodies(parsed(notification(notified(title="TypeError in f.<locals>.g & =?utf-8?q?x?="))))
    assert "f.<locals>.g & =?utf-8?q?x?=" in text
    assert "f.&lt;locals&gt;.g &amp; =?utf-8?q?x?=" in html


def test_a_subject_in_any_script_is_read_as_it_was_written() -> None:
    title = "Ошибка: «ключ» 键不存在 🔥 =?utf-8?q?a?= " * 3
    mail = parsed(notification(notified(title=title)))
    assert mail["Subject"] == f"[critical] INC-1 billing: {title.strip()}"


def test_a_summary_names_what_it_does_not_show() -> None:
    incidents = [notified(number, title=f"fault {number}") for number in range(1, INCIDENTS_SHOWN + 3)]
    text, html = bodies(
        parsed(notification(*incidents, kind=NotificationKind.SUMMARY, reason=NotificationReason.STORM))
    )
    for said in (text, html):
        assert f"fault {INCIDENTS_SHOWN}" in said
        assert f"fault {INCIDENTS_SHOWN + 1}" not in said
        assert f"And 2 more: INC-{INCIDENTS_SHOWN + 1}, INC-{INCIDENTS_SHOWN + 2}" in said


def test_a_digest_has_its_totals_its_services_and_what_was_held_back() -> None:
    told = digest(
        notified(1, severity=ErrorSeverity.MEDIUM),
        notified(2, reason=NotificationReason.REGRESSED, count=40, recent_count=4),
        notified(3, reason=NotificationReason.CONTINUED, service="shop", recent_count=1_200),
        notified(4, muted="until 10:00", held_back=3),
        silences=(SilencedPart(silence_id=7, author="ada", comment="deploy", notifications=5, incidents=2),),
    )
    mail = parsed(told)
    assert mail["Subject"] == "Daily digest: 4 incidents, 1,210 events, 2 new, 1 came back"
    assert mail["List-Unsubscribe"] == "<mailto:lists@example.com?subject=unsubscribe>"
    assert mail["List-Unsubscribe-Post"] is None, "one click is an address's, and none is given"
    text, html = bodies(mail)
    for said in ("New (1)", "Came back (1)", "Went on (1)", "Muted (1)", "3 notifications held back"):
        assert said in text
        assert said in html
    assert "silence 7 (deploy, by ada): 5 of 2 incidents" in text
    assert html.index(">shop<") < html.index(">billing<"), "the most events first"


def test_a_digest_s_mail_has_every_section_the_chart_and_what_was_before() -> None:
    line = DigestLine(
        incident_id=9,
        reason=NotificationReason.CONTINUED,
        severity=ErrorSeverity.HIGH,
        status=Status.OPEN,
        title="KeyError: <b>vat</b>",
        service="shop",
        count=90,
        events=80,
        events_before=40,
        first_seen_at=NOON,
        last_seen_at=NOON,
        ended_by="<i>ana</i>",
        muted="for ever",
    )
    facts = DigestFacts(
        tally=DigestTally(incidents=500, events=80, new=1),
        before=DigestTally(incidents=2, events=40),
        sections=tuple(
            DigestSection(kind=kind, incidents=25, events=300, lines=(line,) * 20, query="service:shop")
            for kind in DigestSectionKind
        ),
        releases=DigestRanking(parts=(DigestPart(service="shop", release="2.4", tally=DigestTally()),)),
        chart=DigestChart(starts_at=NOON, step_seconds=3600, counts=(0, 5, 100)),
        held=(HeldSum(reason=StageReason.MUTED.value, notifications=7, incidents=2),),
    )
    mail = parsed(digest(digest=facts))
    text, html = bodies(mail)
    assert "  ·▁█" in text.splitlines()
    assert [html.count(f"height:{pixels}px;font-size:1px") for pixels in (1, 3, 60)] == [1, 1, 1]
    for said in (
        *("New (25)", "Came back (25)", "Worse (25)", "Went on (25)", "Silenced (25)", "Muted (25)"),
        *("Ended (25)", "40 before: 2.0 times as many", "for ever", "shop 2.4", "held back by mutes"),
        *("The day before: 2 incidents, 40 events; events: 2.0 times as many.", "and 5 more"),
    ):
        assert said in text
        assert said in html
    assert "Still open, and nobody&#39;s (25)" in html
    assert "all: https://errors.example/?query=service%3Ashop" in text
    assert 'href="https://errors.example/?query=service%3Ashop"' in html
    assert "resolved by &lt;i&gt;ana" in html
    assert "<b>vat" not in html


@pytest.mark.parametrize("incidents", [1, 3_000])
def test_a_mail_has_a_bound_however_much_it_tells_of(incidents: int) -> None:
    long = "ж" * 5_000
    many = [
        notified(number, title=long, service=f"{long}{number}", culprit=long) for number in range(incidents)
    ]
    for told in (digest(*many), notification(*many, kind=NotificationKind.SUMMARY)):
        assert len(mail_of(told, ENVELOPE, now=NOON)) < 2_000_000


def test_a_receivers_own_words_take_the_place_of_the_built_in_ones() -> None:
    own = Wording(subject="Bcc: a\r\nb", text="Hello.\rWorld\x0b!", html="<p>Hello</p>")
    mail = parsed(notification(wording=own))
    assert mail["Subject"] == "Bcc: a b"
    assert mail["Bcc"] is None
    text, html = bodies(mail)
    assert text.splitlines() == ["Hello.", "World", "!"]
    assert html.strip() == "<p>Hello</p>"


def test_a_test_says_that_it_is_one() -> None:
    told = notification(kind=NotificationKind.TEST, reason=NotificationReason.REQUESTED, incidents=())
    mail = parsed(told)
    assert mail["Subject"] == "[test] faultwire tests the receiver on-call"
    assert "Nothing happened" in bodies(mail)[0]
