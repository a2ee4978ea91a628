"""Waits that are noted."""

import pytest
from tests.tools.clock import FixedClock
from tests.tools.retrying import Waits


@pytest.fixture
def waits(clock: FixedClock) -> Waits:
    return Waits(clock)
