"""Words of the page's sections: health, states of notifications and producers, rates, and links to lists."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from faultwire_consumer.domain.figures.release_rates import ReleaseRates
from faultwire_consumer.domain.notification import NotificationReason
from faultwire_consumer.domain.producer.state import ProducerReason, ProducerState, ProducerVerdict
from faultwire_consumer.domain.query.text import parse_query
from faultwire_consumer.domain.sending import NotificationState, StageReason
from faultwire_consumer.store.events.figures.releases import ReleaseEffect, ReleaseTotal
from faultwire_consumer.store.outbox.queries import StoredNotification
from faultwire_consumer.web.page.check_words import NOT_HERE, check_lines, health_words, seconds_behind
from faultwire_consumer.web.page.section.producers import lost_words, state_words
from faultwire_consumer.web.page.section.query_link import named_path
from faultwire_consumer.web.page.section.releases import rate_words, release_rows
from faultwire_consumer.web.page.told import words
from faultwire_shared.event import ErrorSeverity
from faultwire_shared.health import CheckReport, Report

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def passing(name: str, seconds: float = 0.0) -> CheckReport:
    return CheckReport(name=name, status="pass", response_time=seconds)


def report(*checks: CheckReport) -> Report:
    return Report(status="healthy", checks=list(checks))


def test_health_is_a_sentence_with_how_far_the_slowest_lane_is_behind() -> None:
    found = report(passing("store", 0.5), passing("lane high", 0.2), passing("lane routine", 7.4))
    assert health_words(found).text == "all 3 checks pass · 7 s behind"
    assert seconds_behind(found) == 7.4
    assert health_words(report(passing("store"), passing("disk"))).text == "all 2 checks pass"
    assert health_words(report(passing("store"))).text == "healthy"


def test_the_first_check_that_does_not_pass_is_named() -> None:
    wrong = CheckReport(name="read_replica", status="warn", error="30 s behind")
    found = health_words(report(passing("store"), wrong, wrong))
    assert (found.text, found.is_well) == ("read replica and 1 more failing", False)


def test_a_check_is_a_line_and_tells_its_reason_to_whom_it_may() -> None:
    wrong = CheckReport(name="lane high", status="fail", error="no consumer at 10.0.0.7")
    line, store, loop = check_lines(
        report(wrong, passing("store", 0.0123), passing("loop", 0.25)), tells_reasons=True
    )
    assert (line.status, line.why, line.measured) == ("failing", "no consumer at 10.0.0.7", "")
    assert line.asked == "Events of the lane high come in, and are stored in time."
    assert (store.measured, loop.measured) == ("12.3 ms", "0.2 s late")
    (hidden,) = check_lines(report(wrong), tells_reasons=False)
    assert hidden.why == NOT_HERE


def alert(state: NotificationState, **values: Any) -> StoredNotification:
    given: dict[str, Any] = {
        "id": 1,
        "idempotency_key": "k",
        "receiver": "log",
        "rule": "r",
        "kind": "incident",
        "reason": "new",
        "incident_id": 1,
        "severity": ErrorSeverity.HIGH,
        "event_id": None,
        "detail": "",
        "created_at": NOW,
        "due_at": NOW + timedelta(minutes=5),
        "state_reason": None,
        "carrier_id": None,
        "attempts": 0,
        "attempted_at": None,
        "finished_at": None,
    }
    return StoredNotification(state=state, **given | values)


@pytest.mark.parametrize(
    ("found", "text", "why"),
    [
        (alert(NotificationState.WAITING), "waiting, goes out at", ""),
        (alert(NotificationState.WAITING, attempts=2), "waiting, is tried again at", ""),
        (alert(NotificationState.WAITING, due_at=NOW), "waiting, goes out now", ""),
        (
            alert(NotificationState.WAITING, state_reason="throttled"),
            "waiting, goes out at",
            "its receiver has had its ten in a minute",
        ),
        (alert(NotificationState.CARRIED, carrier_id=3), "goes out with others", ""),
        (alert(NotificationState.SENT), "sent", ""),
        (alert(NotificationState.SENT, carrier_id=3), "sent with others", ""),
        (alert(NotificationState.STOPPED, state_reason="muted"), "stopped", "its incident is muted"),
        (
            alert(NotificationState.GIVEN_UP, state_reason="refused"),
            "given up",
            "the receiver refused it: 410",
        ),
        (
            alert(NotificationState.GIVEN_UP, state_reason="later_one"),
            "given up",
            "later one: 410",
        ),
    ],
)
def test_a_state_is_told_with_its_time_or_its_reason(found: StoredNotification, text: str, why: str) -> None:
    told = words.state_words(found, failure="410", now=NOW)
    assert (told.text, told.why) == (text, why)


def test_every_reason_has_words() -> None:
    assert set(words.REASONS) == set(NotificationReason)
    assert set(words.STAGE_REASONS) == set(StageReason)
    assert words.reason_words("of_a_later_version") == "of a later version"


def test_a_service_is_quiet_with_its_reason_and_otherwise_says_how_many_processes_are() -> None:
    no_goodbye = ProducerVerdict(ProducerState.QUIET, ProducerReason.NO_GOODBYE)
    on_disk = ProducerVerdict(ProducerState.QUIET, ProducerReason.ON_ITS_DISK)
    assert state_words(no_goodbye) == "quiet, its process said no goodbye"
    assert state_words(no_goodbye, quiet=2, processes=9) == "quiet, its last process said no goodbye"
    assert state_words(on_disk, quiet=2, processes=9) == "quiet, events lie on its disk"
    reports = ProducerVerdict(ProducerState.REPORTS, ProducerReason.HEARD)
    assert state_words(reports, quiet=0, processes=4) == "reports"
    assert state_words(reports, quiet=3, processes=1200) == "reports, 3 of 1,200 quiet"


def test_losses_are_told_by_their_largest_reasons() -> None:
    lost = lost_words({"a": 1, "b": 5, "c": 2, "d": 2, "e": 1})
    assert (lost.total, lost.reasons, lost.more) == (11, ((5, "b"), (2, "c"), (2, "d")), 2)


@pytest.mark.parametrize(
    ("rate", "text"),
    [(None, "?"), (0, "0"), (0.01, "<0.1"), (0.1, "0.1"), (2, "2"), (8.25, "8.2"), (20_000.4, "20,000")],
)
def test_a_rate_is_short(rate: float | None, text: str) -> None:
    assert rate_words(rate) == text


def test_the_numbers_of_a_release_are_queries_of_any_name() -> None:
    began, previous = NOW, NOW - timedelta(days=3, microseconds=7)
    one = ReleaseTotal(
        service='a "b" \\',
        release="1.0*, x",
        first_seen_at=began,
        last_seen_at=NOW,
        count=9,
        new_incidents=1,
        regressed=2,
        previous_at=previous,
        next_at=None,
        key="k",
    )
    effect = ReleaseEffect(ended=4, worse=3, rates=ReleaseRates(1, 2, is_worse=False), worst=None)
    (row,) = release_rows([(one, effect)])
    queries = [parse_qs(urlsplit(each.path).query)["query"][0] for each in (row.new, row.back, row.ended)]
    for query, key in zip(queries[:2], ("first-release", "regressed-release"), strict=True):
        terms = {term.key.value: term.values for term in parse_query(query).terms}
        assert terms == {"service": ('a "b" \\',), key: ("1.0*, x",)}
    ended = parse_query(queries[2]).terms
    assert [(term.key.value, term.values, term.negated) for term in ended[1:]] == [
        ("last", (previous,), False),
        ("last", (began,), True),
    ]


def test_a_name_in_an_address_is_one_segment_or_none() -> None:
    assert named_path("/producers", "a/b?#%") == "/producers/a%2Fb%3F%23%25"
    for name in ("", ".", ".."):
        assert named_path("/producers", name) is None
