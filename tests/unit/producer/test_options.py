"""What a service may choose: what is ignored, sampled, changed; who is in the app; and who guards what."""

import asyncio
import copy
import functools
import inspect
import pickle
from collections.abc import AsyncIterator, Iterator
from typing import Any, assert_type

import msgspec
import pytest
from asgiref.sync import sync_to_async
from tests.tools.clock import FixedClock
from tests.unit.producer.harness import Harness

from faultwire import BusinessError, ErrorManager, SyncErrorManager
from faultwire.audit.loss import LossReason
from faultwire.capture.frame import FrameReader
from faultwire.options import Locals, read_settings
from faultwire.pipeline.filter import Filter
from faultwire.response.recent import REMEMBERED, REMEMBERED_SECONDS, RecentResponses
from faultwire_shared.event import Event


def raised(error: Exception) -> Exception:
    try:
        raise error  # noqa: TRY301 - it shall have a traceback
    except Exception as caught:  # noqa: BLE001 - the subject
        return caught


async def test_before_send_has_the_last_word(harness: Harness) -> None:
    def first(event: Event) -> Event:
        return msgspec.structs.replace(event, message="first")

    def last(event: Event) -> Event | None:
        return msgspec.structs.replace(event, message=event.message + " last")

    async with harness.manager(processors=[first], before_send=last) as errors:
        errors.handle_error_nowait(ValueError("x"))
    assert harness.messages == ["first last"]


@pytest.mark.parametrize("ignored", [LookupError, "LookupError", "builtins.LookupError"])
async def test_what_is_ignored_is_answered_and_counted_and_makes_no_event(
    harness: Harness, ignored: Any
) -> None:
    async with harness.manager(ignore_errors=[ignored]) as errors:
        response = errors.handle_error_nowait(KeyError("x"))
        errors.handle_error_nowait(ValueError("kept"))
    assert (response.status, response.state.reason) == (500, "ignored")
    assert harness.messages == ["kept"]
    assert errors.stats().lost == {"ignored": 1}


def test_a_share_of_the_errors_makes_events() -> None:
    drawn = iter([0.1, 0.25, 0.9])
    gate = Filter(sample_rate=0.25, draw=lambda: next(drawn))
    assert [gate.refuses(ValueError()) for _ in range(3)] == [
        None,
        LossReason.NOT_SAMPLED,
        LossReason.NOT_SAMPLED,
    ]


@pytest.mark.parametrize(
    ("options", "kind", "text"),
    [
        ({"sample_rate": 1.5}, ValueError, "from 0 to 1, not 1.5"),
        ({"sample_rate": "0.5"}, ValueError, "from 0 to 1, not '0.5'"),
        ({"sample_rate": float("nan")}, ValueError, "from 0 to 1"),
        ({"ignore_errors": "KeyError"}, TypeError, r"must be a list, as \['KeyError'\]"),
        ({"ignore_errors": [int]}, TypeError, "not <class 'int'>"),
        ({"include_locals": "all"}, ValueError, 'must be "none" or "own", not \'all\''),
    ],
)
def test_a_wrong_option_says_what_is_wrong(options: dict[str, Any], kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text):
        ErrorManager(service="shop", **options)


def test_the_longest_name_decides_what_is_in_the_app() -> None:
    error = raised(ValueError("x"))
    module = __name__

    def in_app(**rules: Any) -> bool:
        return FrameReader(**rules).read(error.__traceback__)[0][0].in_app

    top = module.partition(".")[0]
    assert in_app()
    assert not in_app(in_app_exclude=[top])
    assert in_app(in_app_exclude=[top], in_app_include=[module])
    assert not in_app(in_app_include=[top], in_app_exclude=[module])


def test_a_type_checker_knows_the_choices_of_local_variables() -> None:
    choice: Locals = "own"
    assert_type(ErrorManager(service="shop", include_locals=choice), ErrorManager)
    with pytest.raises(ValueError, match="include_locals"):
        SyncErrorManager(service="shop", include_locals=True)  # type: ignore[arg-type]  # as it should


def test_a_choice_of_the_environment_that_cannot_be_read_is_told_and_stops_no_host(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert read_settings({"FAULTWIRE_INCLUDE_LOCALS": " OWN "}).include_locals == "own"
    assert read_settings({"FAULTWIRE_INCLUDE_LOCALS": ""}).include_locals == "none"
    settings = read_settings({"FAULTWIRE_INCLUDE_LOCALS": "yes", "FAULTWIRE_SERVICE": "shop"})
    assert (settings.include_locals, settings.service) == ("none", "shop")
    assert "include_locals must be" in caplog.text


async def test_a_message_without_an_exception_is_an_event(harness: Harness) -> None:
    async with harness.manager() as errors:
        errors.capture_message("disk 81 % full", "medium", template="disk {share} % full")
    (event,) = harness.transport.events
    assert (event.message, event.template, event.severity.value) == (
        "disk 81 % full",
        "disk {share} % full",
        "medium",
    )
    assert event.exceptions == []


def fail_plainly() -> None:
    raise ValueError("lost")


# -- one error, several hands --


async def test_an_error_that_was_handled_inside_is_one_event_with_one_id(harness: Harness) -> None:
    async with harness.manager() as errors:
        error = raised(BusinessError("closed"))
        inner = await errors.handle_error(error, user_message="come back later")
        outer = errors.handle_once(error)
        assert outer is inner
        assert errors.handle_once(raised(BusinessError("closed"))) is not inner
    assert len(harness.transport.events) == 2


async def test_an_error_that_is_handed_over_twice_on_purpose_is_two_events(harness: Harness) -> None:
    async with harness.manager() as errors:
        error = raised(ValueError("x"))
        assert len({errors.handle_error_nowait(error).error_id for _ in range(2)}) == 2


def test_an_exception_object_that_is_raised_again_later_is_a_new_error() -> None:
    clock = FixedClock()
    recent, errors = RecentResponses(clock.monotonic), ErrorManager(service="shop")
    error = ValueError("a constant")
    recent.remember(error, errors.handle_error_nowait(error))
    assert recent.find(error) is not None
    clock.advance(REMEMBERED_SECONDS + 1)
    assert recent.find(error) is None


def test_the_last_so_many_are_remembered() -> None:
    recent, errors = RecentResponses(), ErrorManager(service="shop")
    first = ValueError()
    recent.remember(first, errors.handle_error_nowait(first))
    for _ in range(REMEMBERED):
        error = ValueError()
        recent.remember(error, errors.handle_error_nowait(error))
    assert recent.find(first) is None


@pytest.mark.parametrize("of", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_handled_exception_can_still_be_pickled_and_copied(of: Any) -> None:
    error = ValueError("x")
    ErrorManager(service="shop").handle_error_nowait(error)
    of(error)


async def test_the_mark_of_a_handled_exception_changes_nothing_of_its_next_event(harness: Harness) -> None:
    async with harness.manager() as errors:
        error = raised(ValueError("x"))
        for _ in range(2):
            errors.handle_error_nowait(error)
    one, other = harness.transport.events
    assert one.exceptions == other.exceptions


# -- guard --


async def test_a_guard_hands_over_what_is_raised_and_lets_it_go_on(harness: Harness) -> None:
    async with harness.manager() as errors:
        with pytest.raises(ValueError, match="x"), errors.guard(tags={"part": "import"}) as guard:
            raise ValueError("x")
        assert guard.response is not None
    (event,) = harness.transport.events
    assert (event.id, event.tags, event.handled) == (guard.response.error_id, {"part": "import"}, False)


async def test_a_guard_may_swallow(harness: Harness) -> None:
    async with harness.manager() as errors, errors.guard("low", reraise=False):
        raise ValueError("x")
    assert (harness.transport.events[0].handled, harness.transport.events[0].severity.value) == (True, "low")


async def test_a_guard_decorates_functions_of_both_kinds(harness: Harness) -> None:
    async with harness.manager() as errors:

        @errors.guard(reraise=False)
        def plain(number: int) -> float:
            """Divides."""
            return 1 / number

        @errors.guard(reraise=False)
        async def coroutine(number: int) -> float:
            await asyncio.sleep(0)
            return 1 / number

        assert (plain(2), await coroutine(4)) == (0.5, 0.25)
        swallowed: list[object] = [plain(0), await coroutine(0)]
        assert swallowed == [None, None]
        assert plain.__doc__ == "Divides."
        assert inspect.iscoroutinefunction(coroutine)
    assert len(harness.transport.events) == 2


class Job:
    async def __call__(self) -> None:
        raise ValueError("lost")


class Shelf:
    @staticmethod
    async def look() -> None:
        raise ValueError("lost")


class Ticking:
    """Awaitable, and a context manager besides, as what aiohttp's client returns."""

    def __await__(self) -> Iterator[None]:
        yield

    async def __aenter__(self) -> "Ticking":
        return self

    async def __aexit__(self, *_: object) -> None:
        return None


@pytest.mark.parametrize(
    "function",
    [
        lambda: Job()(),  # noqa: PLW0108 - it is one of the ways
        Job(),
        Shelf.look,
        staticmethod(Shelf.look),
        functools.partial(Job()),
        sync_to_async(fail_plainly),
    ],
    ids=["lambda", "object", "method", "staticmethod", "partial", "sync_to_async"],
)
async def test_a_guard_takes_whatever_returns_an_awaitable(function: Any, harness: Harness) -> None:
    async with harness.manager() as errors:
        with pytest.raises(ValueError, match="lost"):
            await errors.guard()(function)()
        assert await errors.guard(reraise=False)(function)() is None
    assert len(harness.transport.events) == 2


async def test_a_guard_leaves_a_task_and_a_context_manager_what_they_are(harness: Harness) -> None:
    async with harness.manager() as errors:
        task = errors.guard()(lambda: asyncio.ensure_future(Job()()))()
        await asyncio.wait((task,))
        ticking = Ticking()
        assert errors.guard()(lambda: ticking)() is ticking
        await asyncio.sleep(0)
    assert harness.messages == ["lost"]


async def test_a_guard_around_a_static_method_leaves_it_one(harness: Harness) -> None:
    errors = harness.manager()

    class Desk:
        @errors.guard()
        @staticmethod
        def double(number: int) -> int:
            return 2 * number

    assert (Desk.double(2), Desk().double(2)) == (4, 4)


async def test_a_guard_lets_cancellation_and_the_ends_of_programs_pass(harness: Harness) -> None:
    async with harness.manager() as errors:
        for passing in (asyncio.CancelledError, KeyboardInterrupt, SystemExit, GeneratorExit):
            with pytest.raises(passing), errors.guard(reraise=False):
                raise passing
    assert harness.transport.events == []


def test_a_guard_refuses_generators_as_their_errors_come_later(harness: Harness) -> None:
    def generator() -> Iterator[int]:
        yield 1

    async def async_generator() -> AsyncIterator[int]:
        yield 1

    guard = harness.manager().guard()
    for function in (generator, async_generator):
        with pytest.raises(TypeError, match="use it inside"):
            guard(function)
