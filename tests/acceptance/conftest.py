from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.tools.worker_process import WorkerProcess, running


@pytest.fixture
async def worker(tmp_path: Path) -> AsyncIterator[WorkerProcess]:
    """Run a worker without a broker, on a file."""
    url = f"sqlite:///{tmp_path / 'faultwire.db'}"
    async with running(WorkerProcess(tmp_path, database_url=url)) as worker:
        yield worker
