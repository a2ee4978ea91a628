"""capture_events: a service's tests see its events, and need no broker."""

import pytest

from faultwire import BusinessError, ErrorManager, SyncErrorManager
from faultwire.testing import Captured, capture_events
from faultwire_shared.event import Event

NOBODY_LISTENS = "http://127.0.0.1:1"


async def test_what_a_manager_is_handed_inside_is_captured_as_it_would_travel() -> None:
    with capture_events() as captured:
        errors = ErrorManager(service="shop", release="1.2")
        response = await errors.handle_error(ValueError("x"), context={"odd": object}, durability="confirmed")
    event = captured.event
    assert (event.id, event.service, event.release) == (response.error_id, "shop", "1.2")
    assert event.context == {"odd": "<class 'object'>"}
    assert event.exceptions[0].frames == []
    assert response.state.state == "confirmed"


def test_threads_and_managers_without_a_loop_are_captured_too() -> None:
    before = SyncErrorManager(service="shop", broker_url=NOBODY_LISTENS, spool_path="")
    with capture_events() as captured, SyncErrorManager(service="desk") as made:
        before.handle_error(ValueError("x"), durability="spooled")
        made.handle_error(ValueError("y"), "critical")
        assert before.flush(60)
    assert [(each.service, each.message) for each in captured.events] == [("shop", "x"), ("desk", "y")]


def test_only_those_are_captured_that_were_named() -> None:
    mine, other = ErrorManager(service="mine"), ErrorManager(service="other")
    with capture_events(mine) as captured:
        other.handle_error_nowait(ValueError("x"))
        assert captured.events == []
        captured.divert(other)
        captured.divert(other)
        other.handle_error_nowait(ValueError("y"))
    assert captured.event.message == "y"


def test_each_error_is_one_event_while_processors_and_ignored_kinds_hold() -> None:
    def drop_odd(event: Event) -> Event | None:
        return None if int(event.message) % 2 else event

    errors = ErrorManager(
        service="shop", processors=[drop_odd], ignore_errors=[BusinessError], sample_rate=0.0
    )
    with capture_events(errors) as captured:
        for number in range(100):
            errors.handle_error_nowait(ValueError(str(number)))
        errors.handle_error_nowait(BusinessError("closed"))
        assert len(captured.events) == 50
        assert errors.stats().lost == {"dropped_by_processor": 50, "ignored": 1}
        captured.clear()
        assert captured.events == []


def test_asking_for_the_only_event_says_what_there_is_instead() -> None:
    with capture_events() as captured:
        with pytest.raises(AssertionError, match="there are 0"):
            _ = captured.event
        errors = ErrorManager(service="shop")
        errors.capture_message("first")
        errors.capture_message("second", "critical")
        with pytest.raises(AssertionError, match=r"there are 2\n.*low INTERNAL_ERROR: first\n.*critical"):
            _ = captured.event


def test_a_block_inside_another_captures_for_itself() -> None:
    errors = ErrorManager(service="shop")
    with capture_events() as outer:
        with capture_events() as inner:
            errors.capture_message("inner")
        errors.capture_message("outer")
    assert (inner.event.message, outer.event.message) == ("inner", "outer")


pytest_plugins = ["faultwire.pytest_plugin"]


def test_the_fixture_captures_during_a_test(captured_events: Captured) -> None:
    response = ErrorManager(service="shop").handle_error_nowait(ValueError("x"))
    assert captured_events.event.id == response.error_id
