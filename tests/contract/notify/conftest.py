"""A receiver that is posted to."""

from collections.abc import AsyncIterator

import pytest
from tests.contract.notify.receiver import Receiver, receiving


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as one:
        yield one
