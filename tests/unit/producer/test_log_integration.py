"""What is logged becomes events and breadcrumbs, by logging's handler and by structlog's processor."""

import importlib
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from structlog.testing import LogCapture
from tests.tools.fake_transport import FakeTransport

from faultwire import ErrorManager, SyncErrorManager
from faultwire.integrations.log_event import severity_of
from faultwire.integrations.logging import ErrorHandler
from faultwire.integrations.structlog import ErrorProcessor
from faultwire.testing import Captured, capture_events
from faultwire_shared.event import Event


def fail() -> None:
    raise ValueError("x")


def own_logger(handler: logging.Handler) -> logging.Logger:
    """A logger that has no other handler, above it neither."""
    logger = logging.Logger("shop")  # noqa: LOG001 - see above
    logger.addHandler(handler)
    return logger


@pytest.fixture
def errors() -> SyncErrorManager:
    return SyncErrorManager(service="shop")


@pytest.fixture
def log(errors: SyncErrorManager, captured: Captured) -> Iterator[logging.Logger]:
    """A logger of the host's, with a handler at its root."""
    root, handler = logging.getLogger(), ErrorHandler(errors)
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield logging.getLogger("shop.orders")
    root.removeHandler(handler)
    root.setLevel(before)


def test_the_modules_shadow_nothing() -> None:
    assert logging.__name__ == "logging"
    assert importlib.import_module("faultwire.integrations.hooks").sys is sys
    assert structlog.__file__ is not None
    assert "integrations" not in structlog.__file__


def test_a_logged_exception_is_an_event_of_it(log: logging.Logger, captured: Captured) -> None:
    try:
        fail()
    except ValueError:
        log.exception("order %d refused", 17, extra={"region": "eu"})
    event = captured.event
    assert (event.message, event.severity, event.tags) == ("x", "high", {"logger": "shop.orders"})
    assert event.exceptions[0].frames
    assert event.context["log"] == "order 17 refused"
    assert event.context["region"] == "eu"
    assert event.context["source"].endswith("test_a_logged_exception_is_an_event_of_it")


def test_a_text_is_grouped_by_what_it_was_before_its_values(log: logging.Logger, captured: Captured) -> None:
    log.critical("order %d refused", 17)
    log.error("stock is empty")
    first, second = captured.events
    assert (first.message, first.template, first.severity) == (
        "order 17 refused",
        "order %d refused",
        "critical",
    )
    assert (second.message, second.template) == ("stock is empty", None)


def test_an_exception_that_was_handed_over_already_stays_one_event(
    log: logging.Logger, captured: Captured, errors: SyncErrorManager
) -> None:
    try:
        fail()
    except ValueError as error:
        errors.handle_error(error)
        log.exception("again")
        log.critical("and again", exc_info=error)
    assert captured.event.message == "x"


def test_an_exception_in_place_of_the_message_is_an_event_of_it(
    log: logging.Logger, captured: Captured, lines: LogCapture
) -> None:
    for write in (log.error, structlog.get_logger().error):
        for kind in (TimeoutError, BrokenPipeError):
            try:
                raise kind
            except OSError as error:
                write(error)
    assert [event.exceptions[0].type for event in captured.events] == 2 * ["TimeoutError", "BrokenPipeError"]
    assert all(event.exceptions[0].frames for event in captured.events)
    assert "log" not in captured.events[0].context
    log.info(TimeoutError())
    log.error("the last")
    assert captured.events[-1].breadcrumbs[-1]["message"] == "TimeoutError"


def test_a_field_of_the_services_own_silences_nothing(
    log: logging.Logger, captured: Captured, lines: LogCapture
) -> None:
    log.error("import failed", extra={"error_id": "E-17"})
    structlog.get_logger().error("import failed", error_id="E-18")
    assert [event.context["error_id"] for event in captured.events] == ["E-17", "E-18"]
    (line,) = lines.entries
    assert (line["error_id"], line["faultwire_error_id"]) == ("E-18", captured.events[1].id)


def test_a_line_that_tells_the_id_of_an_event_makes_no_second_one(
    log: logging.Logger, captured: Captured, errors: SyncErrorManager
) -> None:
    response = errors.handle_error(ValueError("x"))
    log.error("order refused", extra={"error_id": response.error_id})
    assert captured.event.message == "x"


def test_what_is_below_becomes_breadcrumbs_of_the_next_event(log: logging.Logger, captured: Captured) -> None:
    log.debug("not even that")
    log.info("packing order %d", 17)
    log.warning("stock is low", extra={"left": 2})
    log.error("stock is empty")
    first, second = captured.event.breadcrumbs[-2:]
    assert (first["message"], first["category"], first["level"]) == (
        "packing order 17",
        "shop.orders",
        "info",
    )
    assert (second["message"], second["data"]) == ("stock is low", {"left": 2})


def test_a_level_makes_events_of_less_or_leaves_breadcrumbs_out(
    captured: Captured, errors: SyncErrorManager
) -> None:
    logger = own_logger(ErrorHandler(errors, "WARNING", breadcrumb_level=None))
    logger.info("no")
    logger.warning("yes")
    assert captured.event.severity == "medium"
    assert all(crumb["message"] != "no" for crumb in captured.event.breadcrumbs)


@pytest.mark.parametrize(
    "name", ["faultwire", "faultwire.publish", "aio_pika.connection", "aiormq", "pamqp.x", "aiohttp.client"]
)
def test_the_clients_own_lines_are_never_forwarded(
    name: str, log: logging.Logger, captured: Captured, errors: SyncErrorManager
) -> None:
    logging.getLogger(name).critical("the broker is away")
    assert captured.events == []
    processor = ErrorProcessor(errors)
    assert "error_id" not in processor(logging.getLogger(name), "error", {"event": "the broker is away"})


def test_what_is_logged_while_an_error_is_handed_over_is_left_alone() -> None:
    class TalkativeError(Exception):
        def __str__(self) -> str:
            logger.error("somebody asks for my text")
            return "text"

    def talk(event: Event) -> Event:
        logger.error("one more event")
        return event

    errors = ErrorManager(service="shop", processors=[talk])
    logger = own_logger(ErrorHandler(errors))
    with capture_events(errors) as captured:
        errors.handle_error_nowait(TalkativeError())
        logger.error("refused", exc_info=TalkativeError())
        assert [event.message for event in captured.events] == ["text", "text"]
        logger.error("afterwards it is heard")
    assert len(captured.events) == 3


async def test_the_publishers_troubles_make_no_event() -> None:
    logger = logging.getLogger()
    transport = FakeTransport()
    transport.answers.append(RuntimeError("a mistake in the transport"))
    async with ErrorManager(service="shop", transport=lambda: transport, shutdown_timeout=0) as errors:
        handler = ErrorHandler(errors, "WARNING")
        logger.addHandler(handler)
        try:
            errors.handle_error_nowait(ValueError("x"))
            await errors.flush(0.2)
        finally:
            logger.removeHandler(handler)
        assert errors.stats().handled == 1


def test_arguments_that_do_not_fit_cost_no_event(
    log: logging.Logger, captured: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)  # pytest's own handler would raise
    log.error("order %d refused", "seventeen")
    assert captured.event.message == "order %d refused"


def test_a_record_that_cannot_be_read_is_an_event_that_says_so(
    captured: Captured, errors: SyncErrorManager
) -> None:
    class Mean:
        def __str__(self) -> str:
            raise SystemExit("no text for you")

    own_logger(ErrorHandler(errors)).error(Mean())
    assert captured.event.message == "<unprintable Mean>"


@pytest.mark.parametrize(
    ("level", "severity"),
    [(5, "low"), (20, "low"), (30, "medium"), (35, "medium"), (40, "high"), (60, "critical")],
)
def test_any_level_has_a_severity(level: int, severity: str) -> None:
    assert severity_of(level) == severity


@pytest.fixture
def lines(errors: SyncErrorManager, captured: Captured) -> Iterator[LogCapture]:
    """structlog, with the processor before whatever renders exceptions."""
    lines = LogCapture()
    before = structlog.get_config()
    structlog.configure(
        processors=[ErrorProcessor(errors), structlog.processors.format_exc_info, lines],
        cache_logger_on_first_use=False,
    )
    yield lines
    structlog.configure(**before)


def test_structlogs_line_carries_the_id_of_its_event(lines: LogCapture, captured: Captured) -> None:
    log = structlog.get_logger()
    try:
        fail()
    except ValueError:
        log.exception("order refused", order=17)
    event, (line,) = captured.event, lines.entries
    assert line["error_id"] == event.id
    assert "ValueError: x" in line["exception"]
    assert (event.message, event.context) == ("x", {"order": 17, "log": "order refused"})


def test_structlogs_values_stand_beside_the_template(lines: LogCapture, captured: Captured) -> None:
    log = structlog.get_logger()
    log.info("packing", order=17)
    log.critical("order refused", order=17)
    event = captured.event
    assert (event.message, event.template, event.severity) == ("order refused", "order refused", "critical")
    assert event.context == {"order": 17}
    assert event.breadcrumbs[-1]["message"] == "packing"
    assert "error_id" not in lines.entries[0]


def test_a_line_of_structlog_that_reaches_logging_is_one_event(
    log: logging.Logger, captured: Captured, errors: SyncErrorManager
) -> None:
    processors: list[Any] = [ErrorProcessor(errors), structlog.stdlib.ProcessorFormatter.wrap_for_formatter]
    bound: Any = structlog.wrap_logger(log, processors=processors, wrapper_class=structlog.stdlib.BoundLogger)
    bound.error("order refused", order=17)
    assert captured.event.context == {"order": 17}
    captured.clear()
    bound.error("order refused", error_id="E-17")
    assert captured.event.context == {"error_id": "E-17"}
    captured.clear()
    bare: Any = structlog.wrap_logger(
        log, processors=processors[1:], wrapper_class=structlog.stdlib.BoundLogger
    )
    try:
        fail()
    except ValueError:
        bare.exception("order refused", order=17)
    event = captured.event
    assert (event.message, event.context["order"], event.context["log"]) == ("x", 17, "order refused")
