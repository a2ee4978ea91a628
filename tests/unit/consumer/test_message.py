"""Notifications as text and as JSON; every text in them may be an attacker's."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from tests.tools.notification import digest, notification, notified

from faultwire_consumer.domain.notification import NotificationKind, NotificationReason
from faultwire_consumer.notify.message import (
    INCIDENTS_IN_JSON,
    INCIDENTS_NAMED,
    INCIDENTS_SHOWN,
    SUBJECT_CHARACTERS,
    json_of,
    message_of,
)
from faultwire_consumer.notify.notification import Notification
from faultwire_consumer.notify.plain_text import chat_text
from faultwire_consumer.notify.senders.surface import rows_of
from faultwire_consumer.notify.wording.built_in import HTML_FILE, TEXT_FILE, render_built_in
from faultwire_consumer.notify.wording.values import values_of

HOSTILE = "a\r\nBcc: all@example.com\x1b[2J\x00<script>alert(1)</script><!channel>\u202e\ud800&"


def test_the_subject_says_how_bad_which_what_and_where() -> None:
    message = message_of(notification())
    assert message.subject == "[critical] INC-1 new: billing: ConnectionRefusedError: port 4000"


def test_the_text_tells_the_incident_and_where_to_look() -> None:
    assert message_of(notification(detail="12 events in 5 minutes")).text == (
        "A new incident.\n"
        "12 events in 5 minutes\n"
        "\n"
        "INC-1  ConnectionRefusedError: port 4000\n"
        "  service   billing in production, release 1.2.0\n"
        "  where     billing.pay in charge\n"
        "  code      CARD_GATEWAY_DOWN\n"
        "  severity  critical, open\n"
        "  events    3\n"
        "  first     2026-11-23 12:00:00 UTC\n"
        "  last      2026-11-23 12:00:00 UTC\n"
        "  event     https://errors.example/e/error_20261123_k3v9x2m7q4w8r1t6\n"
        "  page      https://errors.example/incidents/INC-1\n"
        "\n"
        "Rule critical at once, 2026-11-23 12:00:00 UTC\n"
    )


@pytest.mark.parametrize(
    "told",
    [
        pytest.param(lambda one: message_of(one).text, id="text"),
        pytest.param(lambda one: json_of(one).decode(), id="json"),
        pytest.param(lambda one: render_built_in(TEXT_FILE, values_of(one)), id="mail"),
        pytest.param(lambda one: render_built_in(HTML_FILE, values_of(one) | {"subject": ""}), id="page"),
        pytest.param(lambda one: str(rows_of(one.incidents[0])), id="pager"),
    ],
)
def test_an_incident_that_is_linked_to_an_issue_says_where(told: Callable[[Notification], str]) -> None:
    issue = "https://git.example/shop/issues/7"
    assert issue in told(notification(notified(issue=issue)))
    assert issue not in told(notification())


def test_without_a_public_address_the_ids_stand_without_links() -> None:
    text = message_of(notification(public_url=None)).text
    assert "://" not in text
    assert "error_20261123_k3v9x2m7q4w8r1t6" in text


def test_a_link_cannot_be_bent_by_an_event_id() -> None:
    incident = notified(event_id="../../evil?x=1#y")
    assert notification().event_link_of(incident) == "https://errors.example/e/..%2F..%2Fevil%3Fx%3D1%23y"


def test_a_summary_names_every_incident() -> None:
    incidents = [notified(number, service=f"s{number % 3}") for number in range(1, INCIDENTS_SHOWN + 31)]
    message = message_of(
        notification(*incidents, kind=NotificationKind.SUMMARY, reason=NotificationReason.STORM)
    )
    assert message.subject.endswith(" and 79 more in 3 services")
    assert message.text.startswith("80 incidents. More came at once than are sent one by one.\n")
    assert "And 30 more: INC-51, INC-52," in message.text
    for incident in incidents:
        assert incident.id in message.text


def test_a_summary_says_of_each_incident_why_it_is_in_it() -> None:
    incidents = (notified(1), notified(2, reason=NotificationReason.SEVERITY_ROSE))
    text = message_of(notification(*incidents, kind=NotificationKind.SUMMARY)).text
    assert text.startswith("2 incidents.\n")
    assert "  because   new\n" in text
    assert "  because   severity rose\n" in text


def test_a_summary_s_subject_names_the_first_incident_and_counts_the_others() -> None:
    others = (notified(2, service="shop"), notified(3, service="stock"))
    told = notification(notified(1), *others, kind=NotificationKind.SUMMARY)
    expected = "[critical] INC-1 billing: ConnectionRefusedError: port 4000 and 2 more in 2 services"
    assert message_of(told).subject == expected
    told = notification(notified(1), notified(2), kind=NotificationKind.SUMMARY)
    assert message_of(told).subject.endswith("port 4000 and 1 more")
    told = notification(notified(1), others[0], kind=NotificationKind.SUMMARY)
    assert message_of(told).subject.endswith("port 4000 and 1 more in shop")


def test_a_long_title_takes_nothing_from_the_count_of_the_others() -> None:
    incidents = (notified(1, title="x" * 1000), notified(2, service="y" * 1000))
    subject = message_of(notification(*incidents, kind=NotificationKind.SUMMARY)).subject
    assert len(subject) == SUBJECT_CHARACTERS
    assert f"x… and 1 more in {'y' * 39}…" in subject


def test_a_storm_names_some_and_says_where_the_rest_is() -> None:
    incidents = [notified(number) for number in range(1, INCIDENTS_SHOWN + INCIDENTS_NAMED + 11)]
    fields = {"kind": NotificationKind.SUMMARY, "number": 17, "more_count": 9_000}
    told = notification(*incidents, reason=NotificationReason.STORM, **fields)
    message = message_of(told)
    assert message.text.startswith("9,560 incidents.")
    assert message.subject.endswith(" and 9,559 more")
    assert "And 9,010 that are not named here: https://errors.example/told?carrier=17\n" in message.text
    data = json.loads(json_of(told))["data"]
    assert (data["more_count"], data["more_url"]) == (9_360, "https://errors.example/told?carrier=17")
    assert len(data["more_incidents"]) == 360
    text = message_of(structs.replace(told, public_url=None)).text
    assert "not named here: faultwire alerts list --carrier 17\n" in text


def test_what_happened_to_an_incident_is_told_in_its_order() -> None:
    incident = notified(happened="new, then grew past 10 and 100")
    message = message_of(notification(incident))
    assert message.subject.startswith("[critical] INC-1 new, then grew past 10 and 100: billing: ")
    assert "  because   new, then grew past 10 and 100\n" in message.text


@pytest.mark.parametrize(
    "name", ["acts.<locals>.boom", "<lambda>", "<module>", "<Task pending>", "a <b> & c"]
)
def test_python_s_names_are_read_as_they_are_in_text_and_in_chats(name: str) -> None:
    told = notification(notified(title=name, culprit=name))
    assert f"INC-1  {name}\n" in message_of(told).text
    assert f"INC-1  {name}\n" in json.loads(json_of(told))["text"]


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("<!channel> x", "\\x3c!channel> x"),
        ("<@U123>", "\\x3c@U123>"),
        ("<https://evil.example|a trusted name>", "\\x3chttps://evil.example|a trusted name>"),
        ("<evil.example|a trusted name>", "\\x3cevil.example|a trusted name>"),
        ("<mailto:a@b.example>", "\\x3cmailto:a@b.example>"),
        ("[a trusted name](https://evil.example)", "[a trusted name]\\x28https://evil.example)"),
        ("@everyone, @here @CHANNEL", "\\x40everyone, \\x40here \\x40CHANNEL"),
        ("table[0](row), a@hereditary.example", "table[0](row), a@hereditary.example"),
    ],
)
def test_a_chat_finds_no_mention_and_no_link_with_another_name(title: str, shown: str) -> None:
    text = json.loads(json_of(notification(notified(title=title))))["text"]
    assert f"INC-1  {shown}\n" in text


def test_hostile_text_stays_on_its_line() -> None:
    incident = notified(title=HOSTILE, service=HOSTILE, culprit=HOSTILE, code=HOSTILE, release=HOSTILE)
    told = notification(incident, rule=HOSTILE, detail=HOSTILE)
    for line in (message_of(told).subject, *message_of(told).text.split("\n")):
        assert line.isprintable()
        assert not line.startswith("Bcc:")
    assert "<!channel>" not in json.loads(json_of(told))["text"]


@given(st.text(alphabet=st.sampled_from("<>@!|#[]( :/ahttpsllere\n")))
def test_no_text_makes_a_mention_in_a_chat(text: str) -> None:
    shown = chat_text(text)
    assert not re.search(r"<[!@#]|<[^<>|\n]*\|[^<>\n]*>|@here\b|@all\b|\]\(http:", shown)


@given(st.text(), st.text())
def test_no_text_gets_a_line_of_its_own(title: str, rule: str) -> None:
    usual = message_of(notification(notified(title="x"), rule="x"))
    message = message_of(notification(notified(title=title), rule=rule))
    assert message.text.count("\n") == usual.text.count("\n")
    assert len(message.subject) <= SUBJECT_CHARACTERS
    assert message.subject.isprintable()


def test_the_json_is_the_envelope_of_standard_webhooks() -> None:
    document = json.loads(json_of(notification()))
    assert document["type"] == "incident.new"
    assert document["timestamp"] == "2026-11-23T12:00:00Z"
    assert document["text"].startswith("[critical] INC-1 new")
    data = document["data"]
    assert data["idempotency_key"] == "n_17"
    assert data["receiver"] == "on-call"
    (incident,) = data["incidents"]
    assert incident["id"] == "INC-1"
    assert incident["count"] == 3
    assert incident["last_seen_at"] == "2026-11-23T12:00:00Z"
    assert incident["url"] == "https://errors.example/incidents/INC-1"


def test_the_json_names_every_incident_and_tells_a_bounded_number() -> None:
    incidents = [notified(number) for number in range(1, INCIDENTS_IN_JSON + 3)]
    data = json.loads(json_of(digest(*incidents)))["data"]
    assert len(data["incidents"]) == INCIDENTS_IN_JSON
    assert data["more_incidents"] == ["INC-201", "INC-202"]


@given(st.text())
def test_the_json_is_printable_ascii_without_markup_and_gives_the_text_back(text: str) -> None:
    body = json_of(notification(notified(title=text)))
    assert all(0x20 <= byte < 0x7F for byte in body)
    assert not set(body) & set(b"<>&")
    assert _title(body) == text


def test_a_lone_surrogate_becomes_a_question_mark_in_json() -> None:
    body = json_of(notification(notified(title=HOSTILE)))
    assert _title(body) == HOSTILE.replace("\ud800", "?")


def _title(body: bytes) -> Any:
    return json.loads(body)["data"]["incidents"][0]["title"]
