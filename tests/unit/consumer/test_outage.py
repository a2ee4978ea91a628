"""An outage is told when it begins and every five minutes, whatever the number of attempts."""

import pytest
from tests.tools.clock import FixedClock

from faultwire_consumer.ingest.receive.outage import LOG_SECONDS, Outage, OutageReason


@pytest.fixture
def outage(clock: FixedClock) -> Outage:
    return Outage(lambda: clock().timestamp())


def told(outage: Outage, clock: FixedClock, reasons: list[OutageReason], *, every: float) -> int:
    lines = 0
    for reason in reasons:
        lines += outage.note_trouble(reason, "why")
        clock.advance(every)
    return lines


def test_an_hour_of_attempts_is_a_line_every_five_minutes(outage: Outage, clock: FixedClock) -> None:
    attempts = [OutageReason.REFUSED] * 720
    assert told(outage, clock, attempts, every=5) == 3600 / LOG_SECONDS == 12
    assert outage.attempts == 720


def test_another_reason_is_told_at_once(outage: Outage, clock: FixedClock) -> None:
    reasons = [OutageReason.LOST, OutageReason.UNREACHABLE, OutageReason.REFUSED]
    assert told(outage, clock, reasons * 5, every=1) == len(reasons)


def test_the_first_connection_and_each_end_of_a_told_outage_are_told(
    outage: Outage, clock: FixedClock
) -> None:
    assert outage.note_well()
    assert outage.note_trouble(OutageReason.LOST, "reset")
    assert outage.note_well()
    assert not outage.note_well()
    assert outage.attempts == 0


def test_a_lane_that_comes_and_goes_is_not_told_each_time(outage: Outage, clock: FixedClock) -> None:
    lines = 0
    for _ in range(100):
        lines += outage.note_trouble(OutageReason.LOST, "reset")
        lines += outage.note_well()
        clock.advance(1)
    assert lines == 2
