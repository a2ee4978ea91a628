"""The digest's text."""

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.tools.notification import NOON, digest, notified

from faultwire_consumer.domain.notification import NotificationReason
from faultwire_consumer.notify.digest import DIGEST_CHARACTERS, INCIDENTS_SHOWN
from faultwire_consumer.notify.message import message_of
from faultwire_consumer.notify.notification import Notification, NotifiedIncident
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
    assert message.subject == "Daily digest: 3 incidents, 1,207 events, 1 new, 1 regressed"
    assert message.text == (
        "Daily digest: 3 incidents, 1,207 events, 1 new, 1 regressed.\n"
        "From 2026-11-22 09:00:00 UTC to 2026-11-23 09:00:00 UTC.\n"
        "\n"
        "By service:\n"
        "  shop: 1 incident, 1,200 events\n"
        "  billing: 2 incidents, 7 events, 1 new, 1 regressed\n"
        "\n"
        "New (1):\n"
        "        3  INC-1  medium  billing: ConnectionRefusedError: port 4000\n"
        "\n"
        "Regressed (1):\n"
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
