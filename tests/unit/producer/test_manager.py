"""ErrorManager: it answers, numbers, counts and logs, whatever it is handed."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.tools.fake_transport import FakeTransport
from tests.unit.producer.harness import Harness

from faultwire import AuthenticationError, BusinessError, ErrorManager, ErrorSeverity, ExternalError
from faultwire.pipeline.processors import Processor
from faultwire_shared.event import Event


async def test_an_error_is_answered_at_once_and_published_behind(harness: Harness) -> None:
    async with harness.manager(environment="staging", release="1.2", host="web-1") as errors:
        response = await errors.handle_error(ValueError("x"), context={"order": 17}, tags={"region": "eu"})
        assert (await response.delivered(60)).accepted
    (event,) = harness.transport.events
    assert event.id == response.error_id
    assert (event.service, event.environment, event.release, event.host) == (
        "shop",
        "staging",
        "1.2",
        "web-1",
    )
    assert (event.context, event.tags, event.handled) == ({"order": 17}, {"region": "eu"}, True)


async def test_events_are_numbered_without_a_gap_after_the_processors(harness: Harness) -> None:
    def drop_odd(event: Event) -> Event | None:
        return None if int(event.message) % 2 else event

    async with harness.manager(processors=[drop_odd]) as errors:
        for number in range(10):
            errors.handle_error_nowait(ValueError(str(number)))
    events = harness.transport.events
    assert [event.sequence for event in events] == [1, 2, 3, 4, 5]
    assert len({event.producer_id for event in events}) == 1
    assert errors.stats().lost == {"dropped_by_processor": 5}


async def test_a_processor_that_raises_or_returns_nonsense_is_left_out_and_counted(harness: Harness) -> None:
    def raises(event: Event) -> Event:
        raise ZeroDivisionError

    def nonsense(event: Event) -> Event:
        return "event"  # type: ignore[return-value]  # that is the nonsense

    async with harness.manager(processors=[raises, nonsense]) as errors:
        errors.handle_error_nowait(ValueError("x"))
    assert len(harness.transport.events) == 1
    assert errors.stats().processor_failures == 2


def replace(**changes: Any) -> Processor:
    return lambda event: msgspec.structs.replace(event, **changes)


async def test_a_processor_may_change_the_event_but_never_its_id(harness: Harness) -> None:
    async with harness.manager(processors=[replace(id="mine", message="changed")]) as errors:
        response = errors.handle_error_nowait(ValueError("x"))
    (event,) = harness.transport.events
    assert (event.id, event.message) == (response.error_id, "changed")


async def test_what_a_processor_puts_in_is_cleaned_before_it_is_encoded(harness: Harness) -> None:
    async with harness.manager(processors=[replace(context={"odd": object, "bad": "\ud800"})]) as errors:
        errors.handle_error_nowait(ValueError("x"))
    assert harness.transport.events[0].context["bad"] == "?"


async def test_an_event_that_a_processor_made_unencodable_is_counted(harness: Harness) -> None:
    async with harness.manager(processors=[replace(occurred_at=object())]) as errors:
        response = errors.handle_error_nowait(ValueError("x"))
    assert response.state.reason == "unencodable"
    assert errors.stats().lost == {"unencodable": 1}


async def test_confirmed_waits_for_the_confirm(harness: Harness) -> None:
    async with harness.manager() as errors:
        response = await errors.handle_error(ValueError("x"), durability="confirmed")
        assert response.state.state == "confirmed"


async def test_confirmed_gives_up_after_its_time_and_says_buffered(harness: Harness) -> None:
    harness.transport.hold()
    async with harness.manager(confirm_timeout=0) as errors:
        response = await errors.handle_error(ValueError("x"), durability="confirmed")
        assert response.state.state == "buffered"
        assert errors.stats().buffered == 1
        harness.transport.release()
        assert (await response.delivered()).state == "confirmed"


async def test_the_stats_account_for_every_event(harness: Harness) -> None:
    async with harness.manager(
        processors=[lambda event: None if event.message == "drop" else event]
    ) as errors:
        for text in ("a", "drop", "b"):
            errors.handle_error_nowait(ValueError(text))
    errors.handle_error_nowait(ValueError("late"))
    stats = errors.stats()
    assert (stats.handled, stats.confirmed, stats.buffered) == (4, 2, 0)
    assert stats.lost == {"dropped_by_processor": 1, "manager_closed": 1}


class MeanError(Exception):
    """Hostile where even the capture's own bookkeeping looks."""

    @property
    def __cause__(self) -> BaseException:  # type: ignore[override]  # that is the hostility
        raise RuntimeError("no cause for you")


def as_any(value: object) -> Any:
    return value


class MeanContext:
    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError


@pytest.mark.parametrize(
    "call",
    [
        lambda errors: errors.handle_error_nowait(MeanError("x")),
        lambda errors: errors.handle_error_nowait("a text"),
        lambda errors: errors.handle_error_nowait(None),
        lambda errors: errors.handle_error_nowait(ValueError),
        lambda errors: errors.handle_error_nowait(ValueError("x"), MeanContext()),
        lambda errors: errors.handle_error_nowait(ValueError("x"), "odd", MeanContext(), MeanContext()),
        lambda errors: errors.handle_error_nowait(ValueError("x"), fingerprint=3, user=MeanContext(), tags=7),
        lambda errors: errors.handle_error_nowait(BusinessError("x", details=as_any(MeanContext()))),
    ],
)
async def test_whatever_is_handed_over_there_is_an_answer_and_an_event(
    harness: Harness, call: Callable[[ErrorManager], Any]
) -> None:
    async with harness.manager() as errors:
        response = call(errors)
    assert response.error_id.startswith("error_")
    assert msgspec.json.decode(response.negotiate(None)[1])["error"]["message"]
    assert [event.id for event in harness.transport.events] == [response.error_id]


async def test_a_closed_manager_still_answers(harness: Harness) -> None:
    errors = harness.manager()
    await errors.aclose()
    await errors.aclose()
    response = await errors.handle_error(ValueError("x"), durability="confirmed")
    assert (response.status, response.state.reason) == (500, "manager_closed")


@pytest.mark.parametrize("times", [3])
def test_a_manager_that_is_entered_again_opens_again(harness: Harness, times: int) -> None:
    errors = harness.manager()

    async def invoke(number: int) -> str:
        async with errors:
            response = await errors.handle_error(ValueError(str(number)), durability="confirmed")
        return response.state.state

    assert [asyncio.run(invoke(number)) for number in range(times)] == times * ["confirmed"]
    assert harness.messages == ["0", "1", "2"]
    events = harness.transport.events
    assert len({event.producer_id for event in events}) == times, (
        "each run is a producer with its own numbers"
    )
    assert {event.sequence for event in events} == {1}
    assert errors.handle_error_nowait(ValueError("late")).state.reason == "manager_closed"


def test_without_a_loop_the_answer_comes_and_the_event_waits(harness: Harness) -> None:
    errors = harness.manager()
    errors.handle_error_nowait(ValueError("x"))
    assert errors.stats().buffered == 1
    asyncio.run(errors.aclose())
    assert errors.stats().confirmed == 1


@pytest.mark.parametrize(
    ("severity", "level"),
    [
        ("low", logging.INFO),
        ("medium", logging.WARNING),
        ("high", logging.ERROR),
        ("critical", logging.CRITICAL),
    ],
)
def test_an_error_leaves_one_line_at_the_level_of_its_severity(
    severity: str, level: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "faultwire")
    response = ErrorManager(service="shop\n").handle_error_nowait(ExternalError("x"), severity)
    (record,) = caplog.records
    assert (record.levelno, record.exc_info) == (level, None)
    assert record.getMessage() == (
        f"error.handled error_id={response.error_id} code=EXTERNAL_SERVICE_UNAVAILABLE"
        f" severity={severity} service=shop\\n"
    )
    fields = {name: record.__dict__[name] for name in ("event", "error_id", "code", "service", "severity")}
    assert fields["event"] == "error.handled"
    assert fields["error_id"] == response.error_id


def test_a_system_error_is_logged_with_its_trace(caplog: pytest.LogCaptureFixture) -> None:
    error = ZeroDivisionError("x")
    ErrorManager(service="shop").handle_error_nowait(error)
    assert caplog.records[0].exc_info is not None
    assert caplog.records[0].exc_info[1] is error


def test_an_attempt_to_get_in_is_logged_on_one_line(caplog: pytest.LogCaptureFixture) -> None:
    ErrorManager(service="shop").handle_error_nowait(AuthenticationError("user\nadmin\x1b[31m"))
    assert caplog.records[0].getMessage().endswith(r"attempt=user\nadmin\x1b[31m")


def test_a_handler_that_raises_does_not_reach_the_caller() -> None:
    class Broken(logging.Handler):
        def handle(self, record: logging.LogRecord) -> bool:
            raise OSError("disk full")

    handler = Broken()
    logging.getLogger("faultwire").addHandler(handler)
    try:
        response = ErrorManager(service="shop").handle_error_nowait(ValueError("x"))
    finally:
        logging.getLogger("faultwire").removeHandler(handler)
    assert response.status == 500


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("redis://user:s3cret@host", "must begin with amqp://"),
        ("amqp://user:s3cret@host:port/", "cannot be read"),
        ("amqp://:s3cret@/vhost", "names no host"),
        ("nonsense s3cret", "must begin with"),
    ],
)
def test_an_unusable_url_is_refused_without_its_password(url: str, text: str) -> None:
    with pytest.raises(ValueError, match=text) as caught:
        ErrorManager(service="shop", broker_url=url)
    assert "s3cret" not in str(caught.value)


def test_a_service_needs_a_name() -> None:
    with pytest.raises(ValueError, match="service"):
        ErrorManager(service="")


def test_without_a_url_it_says_so_once_at_debug(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", "faultwire")
    ErrorManager(service="shop")
    assert [(record.levelname) for record in caplog.records] == ["DEBUG"]


def test_the_environment_describes_a_manager(tmp_path: Path) -> None:
    secret = tmp_path / "url"
    secret.write_text("http://127.0.0.1:1\n")
    environ = {
        "FAULTWIRE_BROKER_URL_FILE": str(secret),
        "FAULTWIRE_ENVIRONMENT": "staging",
        "FAULTWIRE_RELEASE": "2.0",
        "OTEL_SERVICE_NAME": "fallback",
    }
    transport = FakeTransport()
    errors = ErrorManager.from_env(environ, transport=lambda: transport, spool_path="")
    errors.handle_error_nowait(ValueError("x"))
    asyncio.run(errors.aclose())
    (event,) = transport.events
    assert (event.service, event.environment, event.release) == ("fallback", "staging", "2.0")


@pytest.mark.parametrize(
    ("environ", "warnings"),
    [
        ({}, 0),
        ({"FAULTWIRE_ENABLED": "false", "FAULTWIRE_BROKER_URL": "http://127.0.0.1:1"}, 0),
        ({"FAULTWIRE_ENABLED": "perhaps", "FAULTWIRE_BROKER_URL": "http://127.0.0.1:1"}, 1),
        ({"FAULTWIRE_BROKER_URL": "redis://x:s3cret@y"}, 1),
        ({"FAULTWIRE_BROKER_URL_FILE": "/nonexistent/url"}, 1),
        ({"FAULTWIRE_SERVICE_FILE": "/nonexistent/name", "FAULTWIRE_BROKER_URL": "http://127.0.0.1:1"}, 1),
    ],
)
def test_a_mistake_in_the_environment_is_one_warning_and_no_publishing(
    environ: dict[str, str], warnings: int, caplog: pytest.LogCaptureFixture
) -> None:
    errors = ErrorManager.from_env(environ)
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(told) == warnings
    assert "s3cret" not in "".join(told)
    response = errors.handle_error_nowait(ValueError("x"), ErrorSeverity.LOW)
    assert response.state.reason == "disabled"
