"""The client without a broker, a spool or a clock that goes."""

from collections.abc import Iterator

import pytest
from tests.tools.clock import FixedClock
from tests.unit.producer.harness import Harness

from faultwire.audit.loss import Losses
from faultwire.testing import Captured, capture_events


@pytest.fixture
def captured() -> Iterator[Captured]:
    with capture_events() as captured:
        yield captured


@pytest.fixture
def losses(clock: FixedClock) -> Losses:
    return Losses(clock=clock.monotonic)


@pytest.fixture
def harness() -> Harness:
    return Harness()
