"""Stacks as each language prints them, against what the language itself knows of them."""

import re
import subprocess
import traceback
from collections.abc import Callable, Iterator
from multiprocessing.pool import RemoteTraceback  # type: ignore[attr-defined]  # typeshed lacks it

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultwire_consumer.gateway.stack_text import STACK_CHARACTERS, read_stack
from faultwire_shared.event import FRAMES, ExceptionInfo

Raiser = Callable[[], None]


class ShopError(Exception):
    """An error of this module's own."""


def read(text: str, language: str = "python") -> list[ExceptionInfo]:
    return read_stack(text, language=language)


def calls(exception: ExceptionInfo) -> list[tuple[str, int]]:
    return [(frame.qualname, frame.line) for frame in exception.frames]


def chain_of(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def called(error: BaseException) -> list[tuple[str, int]]:
    return [(one.name, one.lineno or 0) for one in traceback.extract_tb(error.__traceback__)]


def caught(act: Raiser) -> Exception:
    try:
        act()
    except Exception as error:  # noqa: BLE001 - every error is what is looked at
        return error
    raise AssertionError("nothing was raised")


def raise_after(calls_before: int, kind: type[Exception], text: str) -> None:
    if calls_before:
        raise_after(calls_before - 1, kind, text)
    raise kind(text)


texts = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=40).filter(
    lambda text: not text.startswith(("\n", " ")) and not text.endswith("\n")
)
kinds = st.sampled_from((ShopError, ValueError, OSError, re.error, subprocess.SubprocessError))


@given(st.lists(st.tuples(st.integers(0, 12), kinds, texts, st.booleans()), min_size=1, max_size=4))
def test_pythons_own_tracebacks_are_read_as_they_were_raised(
    plan: list[tuple[int, type[Exception], str, bool]],
) -> None:
    def act(left: int) -> None:
        depth, kind, text, is_cause = plan[left]
        if left == 0:
            raise_after(depth, kind, text)
        try:
            act(left - 1)
        except Exception as error:
            if is_cause:
                raise kind(text) from error
            raise_after(depth, kind, text)

    error = caught(lambda: act(len(plan) - 1))
    raised = list(chain_of(error))
    found = read("".join(traceback.format_exception(error)))

    assert [calls(one) for one in found] == [called(one) for one in raised]
    assert [(one.type, one.module) for one in found] == [
        (type(one).__qualname__, type(one).__module__) for one in raised
    ]
    assert [one.value for one in found] == [str(one) for one in raised]


@given(st.recursive(st.integers(0, 5), lambda inner: st.lists(inner, min_size=1, max_size=3), max_leaves=8))
def test_a_groups_members_are_read_out_of_their_boxes(tree: object) -> None:
    def build(node: object, depth: int = 0) -> Exception:
        if not isinstance(node, list) or depth > 2:
            return caught(lambda: raise_after(node if isinstance(node, int) else 0, ShopError, "no\nway"))
        group = ExceptionGroup("several", [build(one, depth + 1) for one in node])
        return caught(lambda: _raise(group))

    def outline(error: BaseException) -> object:
        members = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
        return type(error).__name__, str(error), called(error), [outline(one) for one in members]

    def outline_read(one: ExceptionInfo) -> object:
        return one.type, one.value, calls(one), [outline_read(member[0]) for member in one.members]

    error = build(tree)
    found = read("".join(traceback.format_exception(error)))

    assert len(found) == 1
    assert outline_read(found[0]) == outline(error)


def _raise(error: Exception) -> None:
    raise error


def test_a_group_with_a_cause_keeps_both() -> None:
    def act() -> None:
        raise ExceptionGroup("several", [ShopError("a"), ShopError("b")]) from ValueError("why")

    found = read("".join(traceback.format_exception(caught(act))))

    assert [(one.type, one.value) for one in found] == [
        ("ExceptionGroup", "several (2 sub-exceptions)"),
        ("ValueError", "why"),
    ]
    assert [[one.value for one in member] for member in found[0].members] == [["a"], ["b"]]


def test_a_group_that_was_never_raised_has_no_header_and_is_read() -> None:
    found = read("".join(traceback.format_exception(ExceptionGroup("several", [ShopError("a")]))))

    assert [(one.type, len(one.members)) for one in found] == [("ExceptionGroup", 1)]


def test_notes_stay_below_the_message_as_they_are_printed() -> None:
    error = ShopError("no")
    error.add_note("order 17")

    assert read("".join(traceback.format_exception(error)))[0].value == "no\norder 17"


def test_the_place_of_a_syntax_error_is_no_call() -> None:
    def act() -> None:
        compile("x = = 1", "rules.txt", "exec")

    error = caught(act)
    found = read("".join(traceback.format_exception(error)))

    assert found[0].type == "SyntaxError"
    assert calls(found[0]) == called(error)


def test_the_traceback_of_another_process_is_the_message_of_its_cause() -> None:
    remote = (
        f'\n"""\n{"".join(traceback.format_exception(caught(lambda: raise_after(0, ShopError, "no"))))}"""'
    )

    def act() -> None:
        raise ShopError("no") from RemoteTraceback(remote)

    found = read("".join(traceback.format_exception(caught(act))))

    assert [one.type for one in found] == ["ShopError", "RemoteTraceback"]
    assert found[1].value == remote.strip("\n")


def test_a_recursion_keeps_both_ends_of_its_calls() -> None:
    def deep() -> None:
        deep()

    found = read("".join(traceback.format_exception(caught(deep))))

    assert found[0].type == "RecursionError"
    assert len(found[0].frames) == FRAMES
    assert found[0].frames[0].qualname == "caught"
    assert found[0].frames[-1].qualname == "deep"


def test_a_line_that_ran_is_kept_and_what_lies_among_packages_is_a_librarys() -> None:
    text = (
        "Traceback (most recent call last):\n"
        '  File "/srv/env/lib/python3.11/site-packages/opentelemetry/trace/__init__.py", line 6, in use\n'
        "    yield span\n"
        '  File "/srv/app/otel.py", line 34, in pay\n'
        "    charge(order)\n"
        "    ~~~~~~^^^^^^^\n"
        "shop.models.Order.DoesNotExist: none\n"
    )
    library, own = read(text)[0].frames

    assert (library.file, library.module, library.in_app) == (
        "opentelemetry/trace/__init__.py",
        "opentelemetry.trace",
        False,
    )
    assert (own.file, own.context, own.in_app) == ("/srv/app/otel.py", ["charge(order)"], True)
    assert (read(text)[0].module, read(text)[0].type) == ("shop.models", "Order.DoesNotExist")


BROWSERS = [
    ("pay@http://shop/dist/page.js:14:11", ("pay", "http://shop/dist/page.js", 14)),
    ("@http://shop/dist/page.js:14:11", ("", "http://shop/dist/page.js", 14)),
    ("async*pay@http://shop/page.js:1:2", ("pay", "http://shop/page.js", 1)),
    ("global code@http://shop/page.js:3:4", ("global code", "http://shop/page.js", 3)),
    ("map@[native code]", ("map", "[native code]", 0)),
    (
        "pay@http://shop/page.js line 12 > eval:1:5",
        ("pay", "http://shop/page.js", 12),
    ),
    ("    at pay (http://shop/page.js:14:11)", ("pay", "http://shop/page.js", 14)),
    ("    at async http://shop/page.js:14:11", ("", "http://shop/page.js", 14)),
    ("    at JSON.parse (<anonymous>)", ("JSON.parse", "<anonymous>", 0)),
    ("    at Object.pay [as charge] (C:\\shop\\pay.js:1:2)", ("Object.pay", "C:\\shop\\pay.js", 1)),
    ("    at async Promise.all (index 0)", ("Promise.all", "native", 0)),
]


@pytest.mark.parametrize(("line", "expected"), BROWSERS)
def test_a_line_of_each_browser_is_a_call(line: str, expected: tuple[str, str, int]) -> None:
    (found,) = read(f"TypeError: no\n{line}\n", "webjs")

    assert [(one.qualname, one.file, one.line) for one in found.frames] == [expected]
    assert (found.type, found.value) == ("TypeError", "no")


def test_what_node_prints_above_an_uncaught_error_is_none_of_its_message() -> None:
    text = "/srv/app/x.js:3\n  throw new Error('no');\n  ^\n\nError: no\n    at pay (/srv/app/x.js:3:9)\n"

    assert [(one.type, one.value) for one in read(text, "nodejs")] == [("Error", "no")]


JAVA = """java.lang.IllegalStateException: order 17
\tat com.shop.Cart.pay(Cart.java:12)
\tat com.shop.Cart.main(Cart.java:3)
\tat java.base/java.lang.Thread.run(Thread.java:829)
\tSuppressed: java.io.IOException: closing
\t\tat com.shop.Cart.close(Cart.java:40)
Caused by: java.net.ConnectException: refused
\tat com.shop.Gateway.charge(Gateway.java:7)
\t... 2 more
"""


def test_a_java_cause_has_the_calls_that_it_has_in_common_too() -> None:
    raised, cause = read(JAVA, "java")

    assert (raised.module, raised.type, raised.value) == ("java.lang", "IllegalStateException", "order 17")
    assert calls(raised) == [("run", 829), ("main", 3), ("pay", 12)]
    assert calls(cause) == [("run", 829), ("main", 3), ("charge", 7)]
    assert [frame.in_app for frame in cause.frames] == [False, True, True]


def test_a_text_of_no_known_form_holds_nothing() -> None:
    assert read("goroutine 1 [running]:\nmain.main()\n\t/srv/main.go:3 +0x1d\n", "go") == []
    assert read("", "python") == []
    assert read("rejected\nowner@mail.example:25\n", "ruby") == []


lines = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        (
            "Traceback (most recent call last):",
            "  + Exception Group Traceback (most recent call last):",
            '  File "/srv/a.py", line 3, in f',
            "    f()",
            "  [Previous line repeated 999999999 more times]",
            "  | x",
            "  +-+---------------- 1 ----------------",
            "    +---------------- 2 ----------------",
            "    +------------------------------------",
            "\nThe above exception was the direct cause of the following exception:\n",
            "ValueError: no",
            "    at f (a.js:1:2)",
            "    at eval (eval at f (a.js:1:2), <anonymous>:1:1) {",
            "  [cause]: Error: x",
            "  [errors]: [",
            "    ... 999 lines matching cause stack trace ...",
            "f@http://h/a.js:1:2",
            "\tat a.b.C(D.java:1)",
            "Caused by: a.B: c",
            "\t... 99999 more",
            "  ]",
            "}",
        )
    ),
)


@given(st.lists(lines, max_size=60).map("\n".join), st.sampled_from(("python", "nodejs", "java", "go", None)))
def test_any_text_is_read_within_bounds(text: str, language: str | None) -> None:
    for one in read_stack(text, language=language):
        assert len(one.frames) <= FRAMES


@pytest.mark.parametrize(
    "line",
    [
        '  File "x", line 1, in f\n  [Previous line repeated 999999999 more times]\n',
        "  | \n",
        "  +-+---------------- 1 ----------------\n",
        "    at f (",
        "    at f (a.js:1:2)\n    ... 999 lines matching cause stack trace ...\n  [cause]: E: x\n",
        "@" * 50,
        "\tat a\n",
        "Caused by: a.B: c\n\t... 9 more\n\tat a.b(C.java:1)\n",
    ],
)
def test_a_text_beyond_the_bound_is_cut_before_it_is_read(line: str) -> None:
    text = f"Traceback (most recent call last):\n{line * (4 * STACK_CHARACTERS // len(line))}"

    for begin in (text, text.partition("\n")[2], f"E: x\n\tat a.b(C.java:1)\n{text}"):
        for one in read_stack(begin, language="python"):
            assert len(one.frames) <= FRAMES
