from collections.abc import Iterator

import pytest
from tests.tools.api_stub import ApiStub, stub_api


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiStub]:
    """Answer as the API does at ``FAULTWIRE_URL``."""
    with stub_api() as running:
        monkeypatch.setenv("FAULTWIRE_URL", running.url)
        yield running
