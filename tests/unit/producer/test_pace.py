"""The pace: a line that crawls is given less at once, and a good one everything again."""

from faultwire.publish.pace import WINDOW, WINDOW_BYTES, Pace
from faultwire_shared.event import BATCH_EVENTS


def test_it_starts_with_a_whole_window_of_whole_batches_and_never_gets_above() -> None:
    pace = Pace()
    pace.note_confirm(0.01)
    assert (pace.window, pace.events) == (WINDOW, BATCH_EVENTS)


def test_slow_confirms_and_failures_halve_it_down_to_one_event_at_a_time() -> None:
    pace = Pace()
    pace.note_confirm(3)
    pace.note_failure()
    assert (pace.window, pace.events) == (WINDOW // 4, BATCH_EVENTS // 4)
    for _ in range(10):
        pace.note_failure()
    assert (pace.window, pace.events) == (1, 1)


def test_what_is_large_is_bounded_by_its_bytes_and_one_message_goes_whatever_its_size() -> None:
    pace = Pace()
    assert pace.allows(0, 0)
    assert pace.allows(WINDOW - 1, WINDOW_BYTES - 1)
    assert not pace.allows(WINDOW, 0)
    assert not pace.allows(1, WINDOW_BYTES)


def test_a_confirm_that_is_neither_slow_nor_quick_changes_nothing() -> None:
    pace = Pace()
    pace.note_failure()
    pace.note_confirm(1)
    assert (pace.window, pace.events) == (WINDOW // 2, BATCH_EVENTS // 2)


def test_a_few_quick_confirms_bring_everything_back() -> None:
    pace = Pace()
    for _ in range(10):
        pace.note_failure()
    for _ in range(6):
        pace.note_confirm(0.1)
    assert (pace.window, pace.events) == (WINDOW, BATCH_EVENTS)
