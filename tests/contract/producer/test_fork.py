"""A forked child has a producer of its own, wherever in its parent's work the fork comes."""

import os
from pathlib import Path

import pytest
from tests.tools.fake_transport import FakeTransport

from faultwire import ErrorManager, SyncErrorManager
from faultwire.testing import capture_events
from faultwire_shared.event import Event

pytestmark = pytest.mark.may_block("forks and waits for the child")


def end_child(*, sound: bool) -> None:
    os._exit(0 if sound else 1)


def exit_code_of(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_child_that_is_forked_while_events_are_captured_goes_on_by_itself_after_the_block(
    tmp_path: Path,
) -> None:
    errors = SyncErrorManager(service="shop", spool_path=tmp_path / "spool", transport=FakeTransport)
    assert errors.handle_error(ValueError("before"), durability="spooled").state.accepted
    with capture_events(errors) as captured:
        errors.handle_error(ValueError("inside"))
        child = os.fork()
        if not child:  # pragma: no cover - another process
            errors.handle_error(ValueError("in the child"))
    if not child:  # pragma: no cover - another process
        after = errors.handle_error(ValueError("after"), durability="spooled")
        stats = errors.stats()
        is_captured = [event.message for event in captured.events] == ["inside", "in the child"]
        end_child(sound=after.state.accepted and stats.handled == 1 and is_captured)
    assert exit_code_of(child) == 0
    assert captured.event.message == "inside"
    assert errors.handle_error(ValueError("later"), durability="spooled").state.accepted
    assert errors.stats().handled == 2
    errors.close()


def test_a_fork_in_a_processor_leaves_the_child_whole() -> None:
    children: list[int] = []

    def fork_once(event: Event) -> Event:
        if not children:
            children.append(os.fork())
        return event

    errors = ErrorManager(service="shop", transport=FakeTransport, processors=[fork_once])
    response = errors.handle_error_nowait(ValueError("x"))
    if not children[0]:  # pragma: no cover - another process
        errors.handle_error_nowait(ValueError("y"))
        end_child(sound=errors.stats().handled == errors.stats().buffered == 1)
    assert exit_code_of(children[0]) == 0
    assert response.state.state == "buffered"
    assert errors.stats().buffered == 1
