"""A manager whose events the test reads."""

from collections.abc import AsyncIterator

import pytest
from tests.contract.integrations.recording import Recorded, recorded


@pytest.fixture
async def shop() -> AsyncIterator[Recorded]:
    async with recorded() as one:
        yield one
