"""A manager whose events the test reads."""

from collections.abc import AsyncIterator, Iterator

import pytest
from tests.contract.integrations.recording import Recorded, SyncRecorded, recorded


@pytest.fixture
async def shop() -> AsyncIterator[Recorded]:
    async with recorded() as one:
        yield one


@pytest.fixture
def sync_shop() -> Iterator[SyncRecorded]:
    one = SyncRecorded()
    with one.errors:
        yield one
