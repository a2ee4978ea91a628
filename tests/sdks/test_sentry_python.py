"""Sentry's SDK for Python in real programs: given a DSN, all that it knows arrives and groups rightly."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from celery import Celery
from tests.sdks.reporting import Reported, crash_of, is_handled, only
from tests.sdks.running import PROGRAMS, environment_of, run_python, serving
from tests.sdks.wiretap import tapping
from tests.servers.process import ServerProcess, wait_until
from tests.servers.rabbitmq import RabbitMQ
from tests.tools.serving import ask

DSNS: Final = ("script", "fastapi", "django", "celery", "tapped")
HOSTS: Final = {
    "fastapi": ("-m", "uvicorn", "--host", "127.0.0.1", "--port", "PORT", f"{PROGRAMS}.fastapi_shop:app"),
    "django": ("-m", "gunicorn", "--bind", "127.0.0.1:PORT", f"{PROGRAMS}.django_shop:wsgi"),
}

pytestmark = pytest.mark.timeout(180)


def test_what_a_program_catches_logs_says_and_ends_of_arrives_and_groups(
    reported: Reported, tmp_path: Path
) -> None:
    run_python("script", tmp_path, {"SENTRY_DSN": reported.dsns["script"]}, fails=True)
    events = reported.wait_for("script", 7)
    counts = reported.incidents("script")
    assert sorted(counts.values()) == [1, 1, 2, 3], counts
    assert len(events) == 7
    look_at_payment(only(events, "PaymentError"))
    (unhandled,) = only(events, "StockError")
    assert (is_handled(unhandled), unhandled["severity"]) == (False, "high")
    lines = [one for one in events if one.get("template") == "order %s refused after %d tries"]
    assert [one["message"] for one in lines] == [
        "order 34 refused after 2 tries",
        "order 51 refused after 3 tries",
    ]
    (said,) = [one for one in events if one["message"] == "the cache is cold"]
    assert (said["severity"], said.get("exceptions", [])) == ("medium", [])


def look_at_payment(events: list[dict[str, Any]]) -> None:
    """Everything that a reader needs of a failure is there."""
    assert [one["exceptions"][0]["value"] for one in events] == [
        f"gateway refused order {order}" for order in (17, 18, 19)
    ]
    event = events[-1]
    assert [one["type"] for one in event["exceptions"]] == ["PaymentError", "ConnectionError"]
    raised = 'raise PaymentError(f"gateway refused order {order}") from error'
    assert crash_of(event) == ("pay", raised)
    assert crash_of(event, cause=1)[0] == "charge"
    assert all(frame.get("in_app", True) for frame in event["exceptions"][0]["frames"])
    assert (event["release"], event["environment"]) == ("shop@1.4.2", "staging")
    assert (event["user"]["id"], event["tags"]["region"]) == ("42", "eu-central-1")
    assert "added three apples" in [crumb.get("message") for crumb in event["breadcrumbs"]]
    assert len(event["trace_id"]) == 32
    assert event["sdk"]["name"].startswith("sentry.python"), "and what it found installed"


@pytest.mark.parametrize("kind", HOSTS)
def test_what_fails_in_a_web_host_arrives_with_its_request(
    kind: str, reported: Reported, tmp_path: Path
) -> None:
    with serving(HOSTS[kind], tmp_path, {"SENTRY_DSN": reported.dsns[kind]}) as url:
        for order in (17, 18, 19):
            assert ask(f"{url}/orders/{order}/pay?coupon=x1")[0] == 500
        assert ask(f"{url}/orders/17/send")[0] == 500
        events = reported.wait_for(kind, 4)
    counts = reported.incidents(kind)
    assert sorted(counts.values()) == [1, 3], counts
    event = only(events, "LookupError")[-1]
    assert crash_of(event) == ("price_of", 'raise LookupError(f"no price for order {order}")')
    assert not is_handled(event)
    assert "19" not in event["transaction"], "the route, not the path"
    assert (event["request"]["method"], "/orders/19/pay" in event["request"]["url"]) == ("GET", True)
    assert (event["user"]["id"], event["release"]) == ("19", "shop@1.4.2")
    assert "paying" in [crumb.get("message") for crumb in event["breadcrumbs"]]
    assert len({one["trace_id"] for one in events}) == 4, "each request is a trace"


@contextmanager
def celery_working(environment: dict[str, str], log: Path) -> Iterator[ServerProcess]:
    command = [sys.executable, "-m", "celery", "-A", f"{PROGRAMS}.celery_jobs", "worker"]
    options = ["--pool=prefork", "--concurrency=2", "--without-gossip", "--without-mingle"]
    process = ServerProcess([*command, *options], environment, log)
    try:
        yield process
    finally:
        process.end(signal.SIGTERM)


def test_a_task_that_fails_arrives_from_whichever_process(
    reported: Reported, rabbitmq: RabbitMQ, tmp_path: Path
) -> None:
    settings = {"SENTRY_DSN": reported.dsns["celery"], "CELERY_URL": rabbitmq.url}
    sender = Celery("sender", broker=rabbitmq.url, set_as_current=False)
    try:
        for order in (17, 18, 19):
            sender.send_task("jobs.pay", (order,))
        sender.send_task("jobs.send", (17,))
    finally:
        sender.close()
    with celery_working(environment_of(tmp_path, settings), tmp_path / "celery.log"):
        events = reported.wait_for("celery", 4)
    counts = reported.incidents("celery")
    assert sorted(counts.values()) == [1, 3], counts
    event = only(events, "LookupError")[-1]
    assert crash_of(event)[0] == "price_of"
    assert (event["transaction"], is_handled(event)) == ("jobs.pay", False)
    assert event["user"]["id"] in {"17", "18", "19"}


def test_what_is_not_stored_is_not_sent_again(reported: Reported, tmp_path: Path) -> None:
    with tapping(reported.worker.port) as tap:
        settings = {"SENTRY_DSN": tap.through(reported.dsns["tapped"])}
        with serving(HOSTS["fastapi"], tmp_path, settings) as url:
            ask(f"{url}/orders/17/pay")
            wait_until(lambda: tap.item_types()["transaction"] > 0, "a transaction is sent before an answer")
            wait_until(lambda: tap.item_types()["event"] == 1, "and the error")
            limits = {one.headers.get("x-sentry-rate-limits", "") for one in tap.exchanges}
            seen = len(tap.exchanges)
            for order in (18, 19, 20):
                ask(f"{url}/orders/{order}/pay")
            reported.wait_for("tapped", 4)
    assert all("transaction" in one and "error" not in one for one in limits), limits
    later = tap.item_types(since=seen)
    assert later["event"] == 3
    assert not later.keys() & {"transaction", "session", "sessions", "span"}, later
    assert {one.status for one in tap.exchanges} == {200}
