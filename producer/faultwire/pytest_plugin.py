"""A fixture for services that test with pytest: ``pytest_plugins = ["faultwire.pytest_plugin"]``.

It is asked for by name and registers itself nowhere: nobody's tests load what they do not use.
"""

from collections.abc import Iterator

import pytest

from faultwire.testing import Captured, capture_events


@pytest.fixture
def captured_events() -> Iterator[Captured]:
    """Errors that any manager of the process is handed during the test."""
    with capture_events() as captured:
        yield captured
