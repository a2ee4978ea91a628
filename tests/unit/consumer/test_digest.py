"""The digest's text and document, and what goes into which of its sections."""

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
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
from faultwire_consumer.domain.digest.sorting import chart_of, facts_of, is_comparable, section_of
from faultwire_consumer.domain.incident import Status
from faultwire_consumer.domain.notification import NotificationReason
from faultwire_consumer.notify.digest.text import DIGEST_CHARACTERS, INCIDENTS_SHOWN
from faultwire_consumer.notify.message import json_of, message_of
from faultwire_consumer.notify.notification import Notification, NotifiedIncident, SilencedPart
from faultwire_shared.event import ErrorSeverity


def test_a_digest_tells_totals_services_and_what_is_new_and_regressed() -> None:
    told = digest(
        notified(1, severity=ErrorSeverity.MEDIUM, count=3),
        notified(
            2, reason=NotificationReason.REGRESSED, severity=ErrorSeverity.MEDIUM, count=40, recent_count=4
        ),
        notified(3, reason=NotificationReason.CONTINUED, service="shop", count=1_900, recent_count=1_200),
        public_url=None,
    )
    message = message_of(told)
    assert message.subject == "Daily digest: 3 incidents, 1,207 events, 1 new, 1 came back"
    assert message.text == (
        "Daily digest: 3 incidents, 1,207 events, 1 new, 1 came back.\n"
        "From 2026-11-22 09:00:00 UTC to 2026-11-23 09:00:00 UTC.\n"
        "\n"
        "By service:\n"
        "  shop: 1 incident, 1,200 events\n"
        "  billing: 2 incidents, 7 events, 1 new, 1 came back\n"
        "\n"
        "New (1):\n"
        "        3  INC-1  medium  billing: ConnectionRefusedError: port 4000\n"
        "\n"
        "Came back (1):\n"
        "        4  INC-2  medium  billing: ConnectionRefusedError: port 4000\n"
        "\n"
        "Went on (1):\n"
        "    1,200  INC-3  critical  shop: ConnectionRefusedError: port 4000\n"
        "\n"
        "Rule medium daily\n"
    )


def test_the_most_frequent_stand_first_and_the_rest_is_counted() -> None:
    incidents = [notified(number, count=number) for number in range(1, INCIDENTS_SHOWN + 6)]
    lines = message_of(digest(*incidents, public_url=None)).text.splitlines()
    shown = [line.split()[1] for line in lines if "INC-" in line]
    assert shown == [f"INC-{number}" for number in range(INCIDENTS_SHOWN + 5, 5, -1)]
    assert "  and 5 more with 15 events" in lines


def test_a_week_is_called_one_also_when_the_clocks_change() -> None:
    week = digest(notified(), since=NOON - timedelta(days=7, hours=1), until=NOON)
    assert message_of(week).subject.startswith("Weekly digest: 1 incident, 3 events, 1 new")
    short = digest(notified(), since=NOON - timedelta(hours=6), until=NOON)
    assert message_of(short).subject.startswith("Digest: ")


def test_a_quiet_day_is_said_in_one_line() -> None:
    assert message_of(digest()).text.splitlines()[0] == "Daily digest: no incidents."


_INCIDENTS = st.builds(
    notified,
    st.integers(1, 10**9),
    title=st.text(max_size=200),
    service=st.text(max_size=200),
    reason=st.sampled_from(NotificationReason),
    count=st.integers(1, 10**12),
    recent_count=st.none() | st.integers(0, 10**12),
)


@given(st.lists(_INCIDENTS, max_size=20), st.integers(1, 50))
@settings(max_examples=20)
def test_a_digest_is_bounded_and_names_its_totals_whatever_is_in_it(
    incidents: list[NotifiedIncident], times: int
) -> None:
    told = digest(*incidents * times)
    text = message_of(told).text
    assert len(text) <= DIGEST_CHARACTERS
    assert all(line.isprintable() for line in text.split("\n"))
    assert _total(told) in text


def test_the_longest_digest_stays_within_its_bound() -> None:
    reasons = (NotificationReason.NEW, NotificationReason.REGRESSED, NotificationReason.CONTINUED)
    incidents = [
        notified(
            10**12 + number,
            service=f"{number:03}" + "\U0001f600" * 200,
            title="\x00" * 200,
            reason=reasons[number % 3],
        )
        for number in range(300)
    ]
    told = digest(*incidents, public_url="https://" + "x" * 300, rule="\x00" * 500)
    assert len(message_of(told).text) <= DIGEST_CHARACTERS


def _total(told: Notification) -> str:
    return f"{len(told.incidents):,} incident" if told.incidents else "no incidents"


SINCE = NOON - timedelta(hours=27)


def _line(number: int, **fields: Any) -> DigestLine:
    given: dict[str, Any] = {
        "incident_id": number,
        "reason": NotificationReason.CONTINUED,
        "severity": ErrorSeverity.MEDIUM,
        "status": Status.OPEN,
        "title": f"fault {number}",
        "service": "billing",
        "count": 100,
        "first_seen_at": NOON - timedelta(days=22),
        "last_seen_at": NOON,
    }
    return DigestLine(**given | fields)


def _section(kind: DigestSectionKind, *lines: DigestLine, **fields: Any) -> DigestSection:
    given: dict[str, Any] = {"kind": kind, "incidents": len(lines), "lines": lines}
    return DigestSection(**given | fields)


def test_a_digest_says_what_changed_against_the_period_before_and_what_nobody_has() -> None:
    counts = (0, 1, 4, 8) + (0,) * 20
    facts = DigestFacts(
        tally=DigestTally(incidents=2, events=600, new=1),
        before=DigestTally(incidents=9, events=300, came_back=1),
        sections=(
            _section(
                DigestSectionKind.WORSE,
                _line(2, events=560, events_before=40),
                events=560,
                query="severity:medium last:2026-11-22T09:00:00Z",
            ),
            _section(DigestSectionKind.ENDED, _line(3, ended_by="ana", ended_at=NOON), _line(4)),
            _section(DigestSectionKind.NOBODYS, _line(5), incidents=12),
        ),
        services=DigestRanking(
            parts=(
                DigestPart(service="billing", tally=DigestTally(incidents=2, events=600), events_before=800),
            )
        ),
        releases=DigestRanking(
            parts=(
                DigestPart(
                    service="billing", release="2.0", tally=DigestTally(incidents=1, events=40, new=1)
                ),
            )
        ),
        chart=DigestChart(starts_at=SINCE, step_seconds=3600, counts=counts),
        held=(HeldSum(reason="silenced", notifications=7, incidents=2),),
    )
    message = message_of(digest(digest=facts))
    assert message.subject == "Daily digest: 2 incidents, 600 events, 1 new, 1 worse"
    assert message.text == (
        "Daily digest: 2 incidents, 600 events, 1 new, 1 worse.\n"
        "From 2026-11-22 09:00:00 UTC to 2026-11-23 09:00:00 UTC.\n"
        "The day before: 9 incidents, 300 events, 1 came back; events: 2.0 times as many.\n"
        "\n"
        "All events of the rule's services and severities by hour, 8 at most:\n"
        "  ·▁▄█····················\n"
        "\n"
        "By service:\n"
        "  billing: 2 incidents, 600 events (-25 %)\n"
        "\n"
        "By release:\n"
        "  billing 2.0: 1 incident, 40 events, 1 new\n"
        "\n"
        "Worse (1):\n"
        "      560  INC-2  medium  billing: fault 2\n"
        "           40 before: 14 times as many\n"
        "           https://errors.example/incidents/INC-2\n"
        "  all: https://errors.example/?query=severity%3Amedium%20last%3A2026-11-22T09%3A00%3A00Z\n"
        "\n"
        "Ended (2):\n"
        "      100  INC-3  medium  billing: fault 3\n"
        "           resolved by ana at 2026-11-23 12:00:00 UTC\n"
        "           https://errors.example/incidents/INC-3\n"
        "      100  INC-4  medium  billing: fault 4\n"
        "           ended by itself\n"
        "           https://errors.example/incidents/INC-4\n"
        "\n"
        "Still open, and nobody's (12):\n"
        "      100  INC-5  medium  billing: fault 5\n"
        "           open since 2026-11-01, for 21 days\n"
        "           https://errors.example/incidents/INC-5\n"
        "  and 11 more\n"
        "\n"
        "Stopped in this period:\n"
        "  7 notifications of 2 incidents: held back by silences\n"
        "\n"
        "Rule medium daily\n"
    )


def test_a_digest_s_document_has_every_figure_and_each_section_s_incidents() -> None:
    lines = (_line(1, reason=NotificationReason.NEW, events=4, title="\ud800"), _line(2, events=30))
    document = json.loads(json_of(digest(digest=facts_of(lines))))["data"]["digest"]
    assert document["totals"] == {"incidents": 2, "events": 34, "new": 1, "came_back": 0}
    assert [(one["kind"], one["events"]) for one in document["sections"]] == [("new", 4), ("went_on", 30)]
    (line,) = document["sections"][0]["lines"]
    assert (line["id"], line["title"], line["events_before"]) == ("INC-1", "?", None)
    assert line["url"] == "https://errors.example/incidents/INC-1"
    assert json.loads(json_of(notification()))["data"]["digest"] is None


@pytest.mark.parametrize(
    ("reason", "fields", "section"),
    [
        (NotificationReason.NEW, {}, DigestSectionKind.NEW),
        (NotificationReason.REGRESSED, {"events_before": 1}, DigestSectionKind.CAME_BACK),
        (NotificationReason.SEVERITY_ROSE, {"events": 1}, DigestSectionKind.WORSE),
        (NotificationReason.CONTINUED, {"events_before": 50}, DigestSectionKind.WORSE),
        (NotificationReason.CONTINUED, {"events_before": 51}, DigestSectionKind.WENT_ON),
        (NotificationReason.CONTINUED, {"events_before": None}, DigestSectionKind.WENT_ON),
        (NotificationReason.CONTINUED, {"events_before": 0}, DigestSectionKind.WORSE),
        (NotificationReason.CONTINUED, {"events": 9, "events_before": 0}, DigestSectionKind.WENT_ON),
        (NotificationReason.NEW, {"is_silenced": True}, DigestSectionKind.SILENCED),
        (NotificationReason.NEW, {"is_silenced": True, "is_muted": True}, DigestSectionKind.MUTED),
    ],
)
def test_an_incident_is_in_the_section_that_says_most_of_it(
    reason: NotificationReason, fields: dict[str, Any], section: DigestSectionKind
) -> None:
    usual: dict[str, Any] = {"is_muted": False, "is_silenced": False, "events": 100, "events_before": None}
    assert section_of(reason, **usual | fields) is section


@pytest.mark.parametrize(
    ("hours", "bars", "step"),
    [(23, 23, 3600), (24, 24, 3600), (25, 25, 3600), (167, 7, 86400), (169, 7, 86400)],
)
def test_a_chart_has_a_bar_for_each_hour_or_day_also_when_the_clocks_change(
    hours: int, bars: int, step: int
) -> None:
    until = SINCE + timedelta(hours=hours)
    by_hour = {SINCE + timedelta(hours=hour): 1 for hour in range(-2, hours + 2)}
    chart = chart_of(by_hour, since=SINCE, until=until)
    assert chart is not None
    assert (len(chart.counts), chart.step_seconds, sum(chart.counts)) == (bars, step, hours)


def test_a_period_of_many_days_has_bars_of_days_and_one_of_months_none() -> None:
    assert len(chart_of({}, since=SINCE, until=SINCE + timedelta(days=31)).counts) == 31  # type: ignore[union-attr]
    assert chart_of({}, since=SINCE, until=SINCE + timedelta(days=40)) is None


def test_periods_are_compared_if_only_the_clocks_make_them_differ() -> None:
    day = timedelta(days=1)
    assert is_comparable(day, timedelta(hours=25))
    assert is_comparable(timedelta(hours=23), day)
    assert not is_comparable(day, 2 * day)


_TEXTS = st.text(max_size=300)


@given(_TEXTS, _TEXTS, _TEXTS, st.integers(0, 10**15))
@settings(max_examples=20)
def test_texts_of_others_stay_on_their_lines_in_every_section(
    title: str, service: str, who: str, number: int
) -> None:
    line = _line(1, title=title, service=service, ended_by=who, ended_at=NOON, muted=who, events=number)
    facts = DigestFacts(
        tally=DigestTally(incidents=160, events=number),
        sections=tuple(_section(kind, *[line] * 20, query=title) for kind in DigestSectionKind),
        services=DigestRanking(parts=(DigestPart(service=service, release=who, tally=DigestTally()),) * 20),
    )
    silences = (SilencedPart(silence_id=1, author=who, comment=title, notifications=1, incidents=1),) * 20
    text = message_of(digest(digest=facts, silences=silences, rule=who)).text
    assert len(text) <= DIGEST_CHARACTERS
    assert all(one.isprintable() for one in text.split("\n"))
