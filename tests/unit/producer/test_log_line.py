"""The line of a handled error is what the standard library makes of it, whoever formats it."""

import io
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from faultwire import BusinessError, ErrorManager

BASIC = logging.Formatter(logging.BASIC_FORMAT)


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    logger = logging.getLogger("faultwire")
    before = list(logger.handlers)
    yield logger
    logger.handlers[:] = before


def stream_of(logger: logging.Logger, formatter: logging.Formatter | None) -> io.StringIO:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    logger.addHandler(handler)
    return stream


def failed(text: str) -> Exception:
    try:
        try:
            dict[str, int]()[text]
        except KeyError as error:
            raise LookupError(f"no {text}") from error
    except LookupError as error:
        return error
    raise AssertionError("it fails")


def told(error: Exception) -> str:
    return BASIC.formatException((type(error), error, error.__traceback__))


def test_its_trace_is_the_standard_librarys_at_first_sight_and_later(logger: logging.Logger) -> None:
    stream, errors = stream_of(logger, BASIC), ErrorManager(service="shop")
    for text in ("price", "stock", "two\nlines"):
        error = failed(text)
        response = errors.handle_error_nowait(error)
        line = f"error_id={response.error_id} code=INTERNAL_ERROR severity=high service=shop"
        assert stream.getvalue() == f"ERROR:faultwire:error.handled {line}\n{told(error)}\n"
        stream.seek(stream.truncate(0))


def test_a_handler_without_a_formatter_shows_it_too(logger: logging.Logger) -> None:
    stream, error = stream_of(logger, None), failed("price")
    ErrorManager(service="shop").handle_error_nowait(error)
    assert stream.getvalue().endswith(f"service=shop\n{told(error)}\n")


def test_a_formatter_of_the_hosts_own_makes_the_trace_its_way(logger: logging.Logger) -> None:
    class OneLine(logging.Formatter):
        def formatException(self, ei: Any) -> str:  # noqa: N802 - the standard library's name
            return repr(ei[1])

    before, stream = stream_of(logger, OneLine()), stream_of(logger, BASIC)
    error = failed("price")
    for _ in range(2):
        ErrorManager(service="shop").handle_error_nowait(error)
        assert before.getvalue().endswith("\nLookupError('no price')\n")
        assert stream.getvalue().endswith("\nLookupError('no price')\n"), (
            "as logging keeps what was made first"
        )


def test_an_error_that_is_no_failure_of_the_service_has_no_trace(logger: logging.Logger) -> None:
    stream = stream_of(logger, BASIC)
    ErrorManager(service="shop").handle_error_nowait(BusinessError("closed"))
    assert stream.getvalue().count("\n") == 1


def test_its_place_is_the_clients_own(logger: logging.Logger) -> None:
    stream = stream_of(logger, logging.Formatter("%(module)s.%(funcName)s %(process)d"))
    ErrorManager(service="shop").handle_error_nowait(BusinessError("closed"))
    assert stream.getvalue().startswith("log_line._log ")


def test_a_way_of_logging_that_a_host_has_put_in_place_is_used(
    logger: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream, seen = stream_of(logger, BASIC), list[str]()
    original = logging.Logger._log

    def watched(self: logging.Logger, level: int, message: str, *given: Any, **named: Any) -> None:
        seen.append(message)
        original(self, level, message, *given, **named)

    monkeypatch.setattr(logging.Logger, "_log", watched)
    error = failed("price")
    ErrorManager(service="shop").handle_error_nowait(error)
    assert seen == ["error.handled error_id=%s code=%s severity=%s service=%s"]
    assert stream.getvalue().endswith(f"{told(error)}\n")


def test_a_filter_and_a_closed_stream_change_nothing_for_the_caller(
    logger: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed, stream = stream_of(logger, BASIC), stream_of(logger, BASIC)
    closed.close()
    monkeypatch.setattr(logging, "raiseExceptions", False)
    response = ErrorManager(service="shop").handle_error_nowait(failed("price"))
    assert response.error_id in stream.getvalue()
    logger.addFilter(refuse := lambda _: False)
    assert ErrorManager(service="shop").handle_error_nowait(failed("price")).status == 500
    logger.removeFilter(refuse)
    assert stream.getvalue().count("error.handled") == 1
