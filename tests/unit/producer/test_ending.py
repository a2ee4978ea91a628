"""What ends something in order is no error; a group is what its members are."""

import asyncio
from typing import Any

import pytest

from faultwire import ErrorManager
from faultwire.capture.ending import MEMBERS, all_in, ends_request_badly, is_error
from faultwire.testing import Captured


class Deadline(BaseException):
    """A library's, which is no Exception so that nobody swallows it."""


def group(*members: BaseException) -> BaseException:
    return BaseExceptionGroup("several", members)


IN_ORDER = [
    asyncio.CancelledError(),
    GeneratorExit(),
    KeyboardInterrupt(),
    SystemExit(),
    SystemExit(0),
    group(asyncio.CancelledError(), group(KeyboardInterrupt())),
]
BADLY = [ValueError(), Deadline(), group(asyncio.CancelledError(), ValueError()), group(group(Deadline()))]
EXITS = [SystemExit(1), SystemExit("no database"), group(SystemExit(3), asyncio.CancelledError())]


@pytest.mark.parametrize("error", IN_ORDER, ids=repr)
def test_an_end_in_order_is_none(error: BaseException) -> None:
    assert not is_error(error)
    assert not ends_request_badly(error)


@pytest.mark.parametrize("error", BADLY, ids=repr)
def test_anything_else_is_an_error(error: BaseException) -> None:
    assert is_error(error)
    assert ends_request_badly(error)


@pytest.mark.parametrize("error", EXITS, ids=repr)
def test_an_exit_with_a_code_is_none_but_within_a_request(error: BaseException) -> None:
    assert not is_error(error)
    assert ends_request_badly(error)


def test_a_group_with_more_members_than_anybody_looks_at_is_an_error() -> None:
    assert is_error(group(*(KeyboardInterrupt() for _ in range(MEMBERS + 1))))
    deep: BaseException = KeyboardInterrupt()
    for _ in range(3 * MEMBERS):
        deep = group(deep)
    assert is_error(deep)


def test_a_guard_hands_over_what_is_no_exception_and_never_swallows_it(captured: Captured) -> None:
    errors = ErrorManager(service="shop")
    guard = errors.guard(reraise=False)
    for error in (Deadline("10 s"), group(ValueError("x"), asyncio.CancelledError())):
        with pytest.raises(type(error)), guard:
            raise error
    assert [event.exceptions[0].type for event in captured.events] == ["Deadline", "BaseExceptionGroup"]
    for passing in IN_ORDER + EXITS:
        with pytest.raises(type(passing)), guard:
            raise passing
    assert len(captured.events) == 2


@pytest.mark.parametrize("ignored", [[LookupError], ["LookupError"], [LookupError, "TypeError"]])
def test_a_group_of_ignored_ones_is_ignored_and_one_with_any_other_is_not(
    ignored: list[Any], captured: Captured
) -> None:
    errors = ErrorManager(service="shop", ignore_errors=ignored)
    errors.handle_error_nowait(ExceptionGroup("two", [KeyError(), ExceptionGroup("one", [IndexError()])]))
    errors.handle_error_nowait(ExceptionGroup("two", [KeyError(), ValueError()]))
    errors.handle_error_nowait(ExceptionGroup("one", [KeyError()]))
    assert [event.exceptions[0].members[1][0].type for event in captured.events] == ["ValueError"]


def test_a_hostile_member_s_class_is_not_asked_for() -> None:
    def fail(_: object) -> type:
        raise SystemExit(3)

    hostile = type("Hostile", (ValueError,), {"__class__": property(fail)})
    group = ExceptionGroup("group", [hostile()])
    assert is_error(group)
    assert ends_request_badly(group)
    assert not all_in(group, lambda one: type(one) is KeyError)
