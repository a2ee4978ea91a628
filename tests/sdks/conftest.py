"""A worker for the tests of a module, and the SDKs that npm brings."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.sdks import npm
from tests.sdks.reporting import Reported, reporting
from tests.servers.process import ServerError


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of this layer is `make e2e`'s."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.may_block("programs and workers are started and asked synchronously"))


@pytest.fixture(scope="module")
def reported(request: pytest.FixtureRequest) -> Iterator[Reported]:
    """A worker that knows the services which the module names in ``DSNS`` and ``TOKENS``."""
    named = request.module
    dsns, tokens = getattr(named, "DSNS", ()), getattr(named, "TOKENS", ())
    with reporting(dsns=dsns, tokens=tokens) as found:
        yield found


@pytest.fixture(scope="session")
def modules() -> Path:
    """Where the SDKs of npm lie."""
    try:
        return npm.install()
    except ServerError as error:
        if "CI" in os.environ:
            raise
        pytest.skip(f"npm cannot install the SDKs: {error}")
