"""A log line is one line, whatever it is about, and shows no local variable."""

import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from faultwire_shared.logging.text import ConsoleFormatter, JsonFormatter, wants_color

_SECRET = "canary-hunter2"  # noqa: S105 - the canary


def record(
    message: object, *arguments: object, level: int = logging.ERROR, **extra: object
) -> logging.LogRecord:
    made = logging.LogRecord("shop.orders", level, __file__, 1, message, arguments, None)
    made.created = 1795435200.1234
    vars(made).update(extra)
    return made


def bound(event: str, **values: object) -> logging.LogRecord:
    """A record as structlog's wrap_for_formatter leaves it."""
    return record({"event": event, **values}, _logger=None, _name="error")


def document(one: logging.LogRecord) -> dict[str, Any]:
    line = JsonFormatter().format(one)
    assert line.isascii()
    assert "\n" not in line
    read: dict[str, Any] = json.loads(line, parse_constant=_refuse)
    return read


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


class Raising:
    """Refuses to be shown."""

    def __repr__(self) -> str:
        raise RuntimeError("not me")


def cycle() -> dict[str, object]:
    ring: dict[str, object] = {}
    ring["again"] = [ring]
    return ring


HOSTILE = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(st.characters()),
        st.binary(),
        st.builds(Raising),
        st.builds(cycle),
        st.builds(pow, st.just(10), st.just(5000)),  # hypothesis itself cannot print it
        st.just("\ud800\x1b[31m\n\r\x00"),
    ),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.one_of(st.text(), st.integers()), inner)),
    max_leaves=8,
)


def test_the_json_has_the_four_keys_and_what_was_bound() -> None:
    assert document(record("order %d refused", 17, order=17)) == {
        "timestamp": "2026-11-23T12:00:00.123Z",
        "level": "ERROR",
        "logger": "shop.orders",
        "message": "order 17 refused",
        "order": 17,
    }


def test_both_libraries_read_alike() -> None:
    assert document(record("order refused", order=17)) == document(bound("order refused", order=17))


def test_what_is_bound_to_the_context_is_in_the_lines_of_both() -> None:
    with structlog.contextvars.bound_contextvars(request_id="r-1"):
        assert document(record("x"))["request_id"] == document(bound("x"))["request_id"] == "r-1"


def test_a_bound_value_never_takes_the_place_of_the_four() -> None:
    read = document(bound("refused", level="none", logger=1, timestamp=2, message="other"))
    assert (read["level"], read["message"]) == ("ERROR", "refused")
    assert (read["level_"], read["message_"]) == ("none", "other")


@settings(max_examples=30)
@given(st.one_of(HOSTILE, st.text(st.characters())), st.dictionaries(st.text(), HOSTILE, max_size=4))
def test_whatever_is_logged_becomes_one_json_document(message: object, values: dict[str, object]) -> None:
    made = document(record(message))
    assert set(made) >= {"timestamp", "level", "logger", "message"}
    document(record("%s", message))
    document(bound("bound", **{f"v_{key}": value for key, value in values.items()}))


@settings(max_examples=30)
@given(st.text(st.characters()), HOSTILE)
def test_whatever_is_logged_becomes_one_printable_line(message: str, value: object) -> None:
    for color in (False, True):
        line = ConsoleFormatter(color=color).format(bound(message, value=value))
        assert line.replace("\x1b[31m", "").replace("\x1b[0m", "").isprintable()


@pytest.mark.parametrize("arguments", [(), (Raising(),), ("a", "b")])
def test_arguments_that_do_not_fit_or_cannot_be_shown_still_leave_a_line(
    arguments: tuple[object, ...],
) -> None:
    made = record("order %s of %d", *arguments)
    expected = "order %s of %d" if not arguments else "order %s of %d <arguments unprintable: "
    assert str(document(made)["message"]).startswith(expected)


def test_the_console_reads_time_level_logger_message() -> None:
    line = ConsoleFormatter(color=False).format(bound("order refused", order=17, why="no stock", who="ada"))
    assert (
        line == '2026-11-23T12:00:00.123Z [ERROR] shop.orders: order refused order=17 why="no stock" who=ada'
    )


def test_the_standard_librarys_extra_goes_to_the_file_alone() -> None:
    assert ConsoleFormatter(color=False).format(record("refused", order=17)).endswith(": refused")


def test_a_terminal_sees_the_level_in_colour() -> None:
    assert "[\x1b[31mERROR\x1b[0m]" in ConsoleFormatter(color=True).format(record("x"))


class Stream:
    def __init__(self, *, terminal: bool) -> None:
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@pytest.mark.parametrize(
    ("stream", "environ", "wanted"),
    [
        (Stream(terminal=True), {}, True),
        (Stream(terminal=True), {"NO_COLOR": "1"}, False),
        (Stream(terminal=True), {"TERM": "dumb"}, False),
        (Stream(terminal=False), {}, False),
        (object(), {}, False),
    ],
)
def test_only_a_terminal_that_may_be_coloured_is(
    stream: object, environ: dict[str, str], wanted: bool
) -> None:
    assert wants_color(stream, environ) is wanted


def _failing(secret: str) -> None:
    local = {"password": secret}
    raise ValueError(f"refused\nFAKE [INFO] shop: all well {len(local)}")


@pytest.fixture
def failure() -> Iterator[BaseException]:
    try:
        _failing(_SECRET)
    except ValueError as error:
        yield error


def test_a_local_variable_never_appears(failure: BaseException) -> None:
    exc_info = (type(failure), failure, failure.__traceback__)
    for one in (
        record("x", exc_info=exc_info),
        bound("x", exc_info=failure),
        bound("x", exc_info=exc_info),
    ):
        (error,) = document(one)["exception"]
        assert error["exc_type"] == "ValueError"
        assert error["frames"][-1]["name"] == "_failing"
        assert _SECRET not in JsonFormatter().format(one)
        assert _SECRET not in ConsoleFormatter(color=False).format(one)


def test_exc_info_true_is_the_error_at_hand() -> None:
    try:
        _failing(_SECRET)
    except ValueError:
        assert document(bound("x", exc_info=True))["exception"][0]["exc_type"] == "ValueError"
    assert sys.exc_info() == (None, None, None)
    assert "exception" not in document(bound("x", exc_info=True))


def test_a_trace_cannot_forge_a_line(failure: BaseException) -> None:
    text = ConsoleFormatter(color=False).format(bound("x", exc_info=failure))
    first, *others = text.splitlines()
    assert first.endswith("shop.orders: x")
    assert any("FAKE" in line for line in others)
    assert all(line.startswith("    ") for line in others)


def test_the_members_of_a_group_are_in_the_document() -> None:
    group = ExceptionGroup("import failed", [ValueError("no price"), ExceptionGroup("more", [KeyError("k")])])
    (one,) = document(bound("x", exc_info=group))["exception"]
    assert one["exc_value"].startswith("import failed")
    first, second = one["exceptions"]
    assert (first[0]["exc_type"], first[0]["exc_value"]) == ("ValueError", "no price")
    assert second[0]["exceptions"][0][0]["exc_type"] == "KeyError"


def test_a_long_chain_keeps_what_was_raised_and_its_root() -> None:
    error: Exception = ValueError("root")
    for number in range(60):
        following = LookupError(str(number))
        following.__cause__ = error
        error = following
    chain = document(bound("x", exc_info=error))["exception"]
    assert len(chain) == 20
    assert (chain[0]["exc_value"], chain[-1]["exc_value"]) == ("59", "root")
    assert chain[10]["left_out_before"] == 41


def test_a_group_of_thousands_is_bounded_and_says_so() -> None:
    (one,) = document(
        bound("x", exc_info=ExceptionGroup("many", [ValueError(str(n)) for n in range(5_000)]))
    )["exception"]
    assert len(one["exceptions"]) == 49
    assert one["left_out"] == 4_951


def test_the_trace_of_a_record_from_another_process_is_kept() -> None:
    told = record("x", exc_text="Traceback …\nValueError: no\x1b[31m price")
    assert document(told)["exception_text"].endswith("price")
    assert ConsoleFormatter(color=False).format(told).splitlines()[1:] == [
        "    Traceback …",
        "    ValueError: no\\x1b[31m price",
    ]
