"""A trace's text of remembered lines is the standard library's, byte for byte, whatever was raised."""

import contextlib
import json
import linecache
import logging
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultwire_shared.logging import told_call
from faultwire_shared.logging.text import ConsoleFormatter
from faultwire_shared.logging.trace_text import has_stock_trace, learn_text, recall_text, trace_text
from faultwire_shared.scrub import Scrubber
from faultwire_shared.text import printable

Raise = Callable[[], None]


class OrderError(Exception):
    """A service's own."""


class TalkativeError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


class OddTextError(Exception):
    def __str__(self) -> str:
        return OddText("odd")


class OddText(str):
    __slots__ = ()

    def __format__(self, spec: str) -> str:
        return "formatted"


class NotingError(Exception):
    __notes__ = ("of the class",)  # type: ignore[assignment]  # a host's class may


class AnsweringError(Exception):
    def __getattr__(self, name: str) -> Any:
        return ["answered"] if name == "__notes__" else None


class InventingError(Exception):
    @property
    def __cause__(self) -> BaseException | None:  # type: ignore[override]  # a host's class may
        return OrderError("invented")


TEXTS = st.text(max_size=30) | st.sampled_from(
    ["", "\n", "two\nlines\n", "password=hunter2", "\ud800", "%s", "é\x1b[31m"]
)
PLAIN = st.sampled_from(
    [ValueError, KeyError, OrderError, OSError, LookupError, UnicodeError, KeyboardInterrupt, SystemExit]
)
ODD = st.sampled_from(
    [
        *(AttributeError, NameError, ImportError, SyntaxError, StopIteration),
        *(TalkativeError, OddTextError, NotingError, AnsweringError, InventingError),
    ]
)


def made(kind: Any, text: str) -> BaseException:
    error: BaseException = kind(text)
    return error


def deeper(inner: Raise, depth: int) -> Raise:
    def call() -> None:
        deeper(inner, depth - 1)() if depth % 2 else inner()

    return call


def recursing(error: BaseException, depth: int) -> None:
    if depth:
        recursing(error, depth - 1)
    else:
        raise error


def raised(error: BaseException, depth: int = 3) -> BaseException:
    """The error with a trace."""

    def fail() -> None:
        raise error

    with contextlib.suppress(BaseException):
        deeper(fail, depth)()
    return error


@st.composite
def errors(draw: st.DrawFn, kinds: st.SearchStrategy[Any]) -> BaseException:
    """A chain of errors, of which each was raised somewhere, or nowhere."""
    error: BaseException | None = None
    for _ in range(draw(st.integers(1, 4))):
        before, error = error, made(draw(kinds), draw(TEXTS))
        link = draw(st.sampled_from(["cause", "context", "hidden"]))
        if draw(st.integers(0, 9)):
            raised(error, draw(st.integers(0, 5)))
        if link == "cause":
            with contextlib.suppress(AttributeError):
                error.__cause__ = before
        else:
            error.__context__ = before
            error.__suppress_context__ = link == "hidden"
    assert error is not None
    return error


def exc_info_of(error: BaseException) -> Any:
    return type(error), error, error.__traceback__


def told(error: BaseException) -> str:
    return logging.Formatter().formatException(exc_info_of(error))


@given(errors(PLAIN))
def test_a_plain_chain_is_told_as_the_standard_library_tells_it(error: BaseException) -> None:
    assert trace_text(error) == trace_text(error) == told(error)


@given(errors(PLAIN | ODD), st.lists(TEXTS, max_size=2))
def test_an_odd_chain_is_too(error: BaseException, notes: list[str]) -> None:
    if notes:
        error.__notes__ = notes
    assert trace_text(error) == trace_text(error) == told(error)


@given(st.lists(errors(PLAIN | ODD), min_size=1, max_size=3), TEXTS)
def test_a_group_is_too(members: list[BaseException], text: str) -> None:
    error = raised(BaseExceptionGroup(text, members))
    assert trace_text(error) == trace_text(error) == told(error)


@given(st.lists(errors(PLAIN | ODD), min_size=1, max_size=3), st.booleans())
def test_the_consoles_lines_are_what_it_makes_of_the_standard_librarys(
    some: list[BaseException], is_scrubbed: bool
) -> None:
    scrubber = Scrubber() if is_scrubbed else None
    formatter = ConsoleFormatter(color=False, scrubber=scrubber)
    for error in [*some, *some]:
        record = logging.LogRecord("shop", logging.ERROR, "", 0, "failed", (), exc_info_of(error))
        parts = traceback.format_exception(error)
        text = "".join(parts if scrubber is None else scrubber.scrub_trace(parts))
        lines = "".join(f"\n    {printable(line)}" for line in text.splitlines())
        assert formatter.format(record).endswith(f"shop: failed{lines}")


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 50, 500])
def test_calls_that_repeat_are_counted_as_there(depth: int) -> None:
    error = OrderError("deep")
    with contextlib.suppress(OrderError):
        recursing(error, depth)
    assert trace_text(error) == trace_text(error) == told(error)


def test_an_error_of_a_known_kind_and_place_is_told_from_memory() -> None:
    learn_text(raised(OrderError("first")))
    second = raised(OrderError("second"))
    assert recall_text(second) == told(second)


def test_what_is_plain_in_a_chain_of_which_nothing_is_known_is_not_told_from_memory() -> None:
    class NewError(Exception):
        pass

    error = raised(NewError("x"))
    error.__context__ = raised(OrderError("before"))
    assert recall_text(error) is None
    assert learn_text(error) == recall_text(error) == told(error)


def test_a_loop_of_causes_ends() -> None:
    one, other = raised(OrderError("one")), raised(OrderError("other"))
    one.__cause__, other.__cause__ = other, one
    assert trace_text(one) == trace_text(one) == told(one)


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "shop.py"
    path.write_text("def fail():\n    raise ValueError('x')\n")
    yield path
    linecache.cache.pop(str(path), None)


def test_source_that_has_changed_is_shown_as_it_is_now(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names: dict[str, Any] = {}
    exec(compile(source.read_text(), str(source), "exec"), names)  # noqa: S102 - written just now
    error = OrderError("x")
    try:
        names["fail"]()
    except ValueError as failure:
        error.__cause__ = failure
    before = trace_text(raised(error))
    source.write_text("def fail():\n    raise ValueError('x')  # of another release\n")
    monkeypatch.setattr(told_call, "LOOK_SECONDS", 0.0)
    assert "another release" not in before
    assert "another release" in trace_text(error)
    assert trace_text(error) == trace_text(error) == told(error)


def test_a_limit_of_calls_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    error = raised(OrderError("x"))
    trace_text(error)
    monkeypatch.setattr(sys, "tracebacklimit", 1, raising=False)
    assert trace_text(error) == trace_text(error) == told(error)


def test_somebody_elses_way_of_telling_is_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    error = raised(OrderError("x"))
    trace_text(error)

    def told_elsewhere(*_: object, file: Any = None, **__: object) -> None:
        file.write("elsewhere")

    monkeypatch.setattr(
        # By its place until Python 3.11, by its name in newer ones.
        traceback,
        "print_exception",
        lambda *given, file=None, **named: told_elsewhere(file=file or given[-1], **named),
    )
    assert trace_text(error) == "elsewhere"


def test_a_formatter_of_a_hosts_own_is_no_stock_one() -> None:
    class Json(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            return json.dumps(record.getMessage())

    class OneLine(logging.Formatter):
        def formatException(self, ei: Any) -> str:  # noqa: N802 - the standard library's name
            return repr(ei)

    class Coloured(logging.Formatter):
        def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - as above
            return f"\x1b[31m{super().formatMessage(record)}\x1b[0m"

    stock = [has_stock_trace(each) for each in (Json(), OneLine(), logging.Formatter(), Coloured())]
    assert stock == [False, False, True, True]
