"""What is said of producers with a wrong key: once a minute, in one incident each, and never the key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs
from tests.tools.gateway_reports import ReportBench

from faultwire_consumer.gateway.reports.wrong_key import (
    AGAIN_SECONDS,
    KINDS_MAX,
    KINDS_SECONDS,
    MANY,
    WARN_SECONDS,
    WrongKeys,
)
from faultwire_shared.event import ErrorSeverity

KEY = "a94a8fe5ccb19ba61c4c0873d391e987"


@pytest.fixture
def gateway() -> ReportBench:
    return ReportBench()


def refuse(
    gateway: ReportBench, *, path: str = "/api/17/envelope/", key: str = KEY, reason: str = "unknown"
) -> None:
    gateway.reports.refused(reason=reason, path=path, user_agent="sentry.python/2.75.0", key_start=key)


def test_a_wrong_key_is_told_with_what_mends_it_and_four_characters(gateway: ReportBench) -> None:
    with capture_logs() as logs:
        refuse(gateway, path=f"/errors/api/17/unreal/{KEY}/?sentry_key={KEY}")
    (wrong,) = gateway.told
    assert (wrong.path, wrong.project, wrong.key_start) == ("/errors/api/17/unreal/a94a…/", "17", "a94a")
    error = wrong.error()
    assert "a producer reports with a wrong key" in str(error)
    assert "`faultwire access token create --sentry-dsn SERVICE --key KEY --project 17`" in str(error)
    assert "sentry.python/2.75.0" in str(error)
    assert (error.code, error.severity) == ("GATEWAY_WRONG_KEY", ErrorSeverity.MEDIUM)
    assert KEY not in f"{error}{wrong}{logs}"
    (line,) = logs
    assert (line["event"], line["key_start"], line["mends"]) == ("gateway.key_refused", "a94a", wrong.mends)


def test_the_log_has_one_line_a_minute_with_how_many_there_were(gateway: ReportBench) -> None:
    with capture_logs() as logs:
        for _ in range(50):
            refuse(gateway)
        gateway.clock.advance(WARN_SECONDS - 1)
        refuse(gateway)
        assert [line["refused"] for line in logs] == [1]
        gateway.clock.advance(1)
        refuse(gateway)
        assert [line["refused"] for line in logs] == [1, 51]
    assert gateway.value("faultwire_gateway_refused_total", reason="unknown") == 52


def test_other_refusals_are_counted_and_told_to_nobody(gateway: ReportBench) -> None:
    with capture_logs() as logs:
        for reason in ("unreadable", "x" * 90):
            gateway.reports.refused(reason=reason, path="/api/1/store/", user_agent="")
    assert (gateway.told, logs) == ([], [])
    assert gateway.value("faultwire_gateway_refused_total", reason="unreadable") == 1
    assert gateway.value("faultwire_gateway_refused_total", reason="other") == 1


def test_who_shows_no_key_is_told_to_put_one_in(gateway: ReportBench) -> None:
    refuse(gateway, path="/v1/logs", key="", reason="missing")
    (wrong,) = gateway.told
    assert (wrong.kind, wrong.project, wrong.key_start) == ("none", "", "")
    assert "put a whole DSN" in str(wrong.error())


def test_each_project_and_key_is_a_kind_of_its_own_until_there_are_many() -> None:
    keys = WrongKeys()

    def kind(project: int, now: float) -> str:
        path = f"/api/{project}/store/"
        wrong = keys.judge(reason="unknown", path=path, user_agent="", key_start=KEY[:4], now=now)
        keys.is_news(wrong, now)
        return wrong.kind

    first = [kind(number, 0) for number in range(KINDS_MAX)]
    assert first == [f"{number} a94a" for number in range(KINDS_MAX)]
    assert kind(77, 1) == MANY
    assert kind(78, 2) == MANY
    assert kind(0, KINDS_SECONDS - 1) == first[0]
    assert kind(77, KINDS_SECONDS) == "77 a94a", "a day later others have room"
    assert kind(0, KINDS_SECONDS) == first[0], "and what lasts keeps its own"


def test_what_lasts_is_told_once_an_hour(gateway: ReportBench) -> None:
    for _ in range(3):
        refuse(gateway)
        refuse(gateway, path="/api/18/envelope/")
    assert [wrong.project for wrong in gateway.told] == ["17", "18"]
    gateway.clock.advance(AGAIN_SECONDS - 1)
    refuse(gateway)
    assert len(gateway.told) == 2
    gateway.clock.advance(1)
    refuse(gateway)
    assert [wrong.project for wrong in gateway.told] == ["17", "18", "17"]


_TEXTS = st.text(max_size=400)


@given(_TEXTS, _TEXTS, _TEXTS, _TEXTS)
def test_whatever_a_stranger_sends_is_a_short_line(reason: str, path: str, agent: str, key: str) -> None:
    bench = ReportBench()
    bench.reports.refused(reason=reason, path=path, user_agent=agent, key_start=key)
    (wrong,) = bench.told
    text = str(wrong.error())
    assert text.isprintable()
    assert len(text) < 1000
    assert len(wrong.key_start) <= 4
