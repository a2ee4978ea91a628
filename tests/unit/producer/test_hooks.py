"""The hooks: what nobody catches is one event each, and whoever stood there before is called all the same."""

import asyncio
import gc
import sys
import threading
from collections.abc import Iterator
from multiprocessing.process import BaseProcess
from typing import Any

import pytest
from tests.tools.spool_bench import until

from faultwire import ErrorManager, SyncErrorManager
from faultwire.integrations.hooks import Hooks, _words_of, install
from faultwire.testing import Captured

pytestmark = pytest.mark.may_block("waits for threads")


class Former:
    """Whoever set a hook before us."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def __call__(self, *arguments: Any) -> None:
        self.calls.append(arguments)


@pytest.fixture
def former(monkeypatch: pytest.MonkeyPatch) -> Former:
    former = Former()
    for module, name in ((sys, "excepthook"), (threading, "excepthook"), (sys, "unraisablehook")):
        monkeypatch.setattr(module, name, former)
    return former


@pytest.fixture
def hooks(former: Former, captured: Captured) -> Iterator[Hooks]:
    with install(SyncErrorManager(service="shop")) as hooks:
        yield hooks


def raised(error: BaseException) -> BaseException:
    try:
        raise error  # noqa: TRY301 - for its traceback
    except BaseException as caught:  # noqa: BLE001 - it is what the test is about
        return caught


def run_in_thread(error: BaseException) -> None:
    def fail() -> None:
        raise error

    thread = threading.Thread(target=fail, name="packer")
    thread.start()
    thread.join()


class Leaky:
    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __del__(self) -> None:
        raise self.error


def test_what_ends_the_process_is_critical_and_not_handled(
    hooks: Hooks, captured: Captured, former: Former
) -> None:
    error = raised(ValueError("the end"))
    sys.excepthook(type(error), error, error.__traceback__)
    event = captured.event
    assert (event.message, event.severity, event.handled) == ("the end", "critical", False)
    assert event.exceptions[0].frames
    assert former.calls == [(ValueError, error, error.__traceback__)]


def test_what_ends_a_thread_names_it(hooks: Hooks, captured: Captured, former: Former) -> None:
    run_in_thread(ValueError("x"))
    assert (captured.event.context, captured.event.handled) == ({"thread": "packer"}, False)
    assert len(former.calls) == 1


def test_what_a_destructor_raises_is_handed_over_by_a_thread(
    hooks: Hooks, captured: Captured, former: Former
) -> None:
    with SyncErrorManager(service="shop").bind(order=17):
        Leaky(ValueError("in a destructor"))
    until(lambda: bool(captured.events))
    event = captured.event
    assert (event.message, event.handled, event.tags) == ("in a destructor", False, {"order": 17})
    assert event.context["object"] == "Leaky.__del__"
    assert len(former.calls) == 1


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_the_end_that_somebody_asked_for_is_no_error(
    kind: type[BaseException], hooks: Hooks, captured: Captured, former: Former
) -> None:
    error = raised(kind())
    sys.excepthook(kind, error, error.__traceback__)
    run_in_thread(kind())
    Leaky(kind())
    Leaky(ValueError("last"))
    until(lambda: bool(captured.events))
    assert captured.event.message == "last"
    assert len(former.calls) == 4


def test_what_was_handed_over_already_is_no_second_event(hooks: Hooks, captured: Captured) -> None:
    error = raised(ValueError("x"))
    SyncErrorManager(service="shop").handle_once(error)
    captured.clear()
    known = SyncErrorManager(service="shop")
    with install(known):
        response = known.handle_error(error)
        captured.clear()
        hooks.uninstall()
        sys.excepthook(type(error), error, error.__traceback__)
        assert captured.events == []
        assert known.handle_once(error) is response


def test_a_hook_that_fails_still_calls_the_former(former: Former) -> None:
    class Broken:
        def handle_once(self, *_: object, **__: object) -> Any:
            raise ZeroDivisionError

    error = raised(ValueError("x"))
    with install(Broken()), pytest.raises(ZeroDivisionError):
        sys.excepthook(type(error), error, error.__traceback__)
    assert len(former.calls) == 1


def test_uninstalled_everything_is_as_it_was_and_a_later_hook_stays(
    former: Former, captured: Captured
) -> None:
    hooks = install(SyncErrorManager(service="shop"))
    ours = sys.excepthook
    later = Former()

    def chained(*arguments: Any) -> None:
        later(*arguments)
        ours(*arguments)

    sys.excepthook = chained
    hooks.uninstall()
    assert sys.unraisablehook is former
    assert threading.excepthook is former
    assert sys.excepthook is chained
    error = raised(ValueError("x"))
    sys.excepthook(type(error), error, error.__traceback__)
    assert captured.events == []
    assert len(later.calls) == len(former.calls) == 1


def test_a_group_is_no_error_where_all_of_its_members_are_ends_that_somebody_asked_for(
    hooks: Hooks, captured: Captured, former: Former
) -> None:
    for members in ([KeyboardInterrupt(), asyncio.CancelledError()], [SystemExit(0)]):
        error = raised(BaseExceptionGroup("a nursery", members))
        sys.excepthook(type(error), error, error.__traceback__)
    assert captured.events == []
    error = raised(BaseExceptionGroup("a nursery", [KeyboardInterrupt(), ValueError("x")]))
    sys.excepthook(type(error), error, error.__traceback__)
    assert captured.event.severity == "critical"


def test_the_first_step_of_multiprocessings_children_is_put_back(former: Former) -> None:
    before = vars(BaseProcess)["_bootstrap"]
    with install(SyncErrorManager(service="shop")):
        assert vars(BaseProcess)["_bootstrap"] is not before
    assert vars(BaseProcess)["_bootstrap"] is before


def test_each_hook_can_be_left_out(former: Former) -> None:
    with install(SyncErrorManager(service="shop"), process=False, threads=False, unraisable=False):
        assert sys.excepthook is former
        assert threading.excepthook is former
        assert sys.unraisablehook is former


async def fail(text: str) -> None:
    raise ValueError(text)


async def test_a_task_that_nobody_waits_for_is_one_event(captured: Captured, former: Former) -> None:
    loop, seen = asyncio.get_running_loop(), Former()
    loop.set_exception_handler(seen)
    async with ErrorManager(service="shop") as errors:
        with install(errors):
            task = asyncio.create_task(fail("nobody waits"), name="packing")
            await asyncio.wait((task,))
            del task
            gc.collect()
    event = captured.event
    assert (event.message, event.handled) == ("nobody waits", False)
    assert event.context["asyncio"] == "Task exception was never retrieved"
    assert "packing" in event.context["future"]
    assert len(seen.calls) == 1
    assert loop.get_exception_handler() is seen


async def test_a_callback_that_fails_and_a_leak_are_events(
    captured: Captured, former: Former, caplog: pytest.LogCaptureFixture
) -> None:
    def callback() -> None:
        raise ValueError("in a callback")

    loop = asyncio.get_running_loop()
    with install(SyncErrorManager(service="shop")):
        loop.call_soon(callback)
        await asyncio.sleep(0)
        loop.call_exception_handler({"message": "Unclosed connection"})
    failed, leak = captured.events
    assert (failed.message, failed.severity) == ("in a callback", "high")
    assert (leak.message, leak.severity, leak.exceptions) == ("Unclosed connection", "medium", [])
    assert "in a callback" in caplog.text, "asyncio's own handler has logged it as ever"


async def test_a_loop_can_be_watched_later(captured: Captured, former: Former) -> None:
    other = asyncio.new_event_loop()
    with install(SyncErrorManager(service="shop"), loop=other) as hooks:
        hooks.watch_loop()
        other.set_exception_handler(None)  # somebody takes ours away
        asyncio.get_running_loop().call_exception_handler({"message": "x", "exception": SystemExit()})
    assert captured.events == []
    assert asyncio.get_running_loop().get_exception_handler() is None
    other.close()
    with pytest.raises(RuntimeError):
        await asyncio.to_thread(hooks.watch_loop)


@pytest.mark.parametrize(
    ("said", "value", "about"),
    [
        (None, print, {"unraisable": "Exception ignored in", "object": "print"}),
        (
            "Exception ignored while calling deallocator <function Leaky.__del__ at 0x7f10a2>",
            None,
            {"unraisable": "Exception ignored while calling deallocator", "object": "Leaky.__del__"},
        ),
        ("Exception ignored while finalizing file <x>", None, None),
    ],
)
def test_an_ignored_error_is_told_with_the_name_of_the_object_and_no_address(
    said: str | None, value: object, about: dict[str, object] | None
) -> None:
    found = _words_of(said or "Exception ignored in", value)
    assert found == (about or {"unraisable": said, "object": "NoneType"})
