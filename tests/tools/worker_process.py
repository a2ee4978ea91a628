"""The worker of ``tests.servers``, from coroutines: nothing of it blocks the test's own loop."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from aiohttp import ClientSession, ClientTimeout
from tests.servers.process import ServerProcess
from tests.servers.worker import FAULTWIRE, Worker, clean_environment
from tests.tools.waiting import until

COMMAND_SECONDS: Final = 90.0


async def command(*arguments: str, cwd: Path | None = None, **settings: str) -> tuple[int, str, str]:
    """Run ``faultwire`` to its end, also where it fails: exit code, stdout, stderr."""
    process = await asyncio.create_subprocess_exec(
        FAULTWIRE,
        *arguments,
        cwd=cwd,
        env=clean_environment(cwd or Path.home()) | settings,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(COMMAND_SECONDS):
        out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


class WorkerProcess:
    """One worker on a port of its own; start it again after a kill as often as a test likes."""

    def __init__(
        self, directory: Path, *, database_url: str, broker_url: str | None = None, **settings: str
    ) -> None:
        self._worker = Worker(directory, database_url=database_url, broker_url=broker_url)
        self._worker.environment |= settings
        self._process: ServerProcess | None = None
        self.url = self._worker.url
        self.log = self._worker.log

    async def launch(self, noun: str = "worker", **settings: str) -> None:
        """Start the process and do not wait for it: it may never get ready."""
        environment = self._worker.environment | settings
        command = [FAULTWIRE, noun]
        self._process = await asyncio.to_thread(ServerProcess, command, environment, self.log)

    @property
    def is_running(self) -> bool:
        """Whether the process that was launched lives."""
        return self._process is not None and self._process.is_running

    async def is_ready(self) -> bool:
        """Whether it answers that it takes events."""
        try:
            return (await self.get("/readyz"))[0] == 200
        except OSError:
            return False

    @property
    def pid(self) -> int:
        """Of the process that was launched."""
        assert self._process is not None
        return self._process.pid

    async def wait_for_death(self, *, seconds: float = 60) -> int:
        """Wait until the process that was launched ends by itself; its exit code."""
        process = self._process
        assert process is not None

        async def is_dead() -> bool:
            return not process.is_running

        await until(is_dead, "the worker ends", seconds=seconds)
        return await asyncio.to_thread(process.end)

    async def send(self, number: signal.Signals) -> None:
        """Send a signal to the process that was launched, and wait for nothing."""
        assert self._process is not None
        self._process.send(number)

    async def signal(self, number: signal.Signals) -> int:
        """Send a signal to the process that was launched and wait for its end; the exit code."""
        assert self._process is not None
        return await asyncio.to_thread(self._process.end, number)

    async def start(self) -> None:
        """Start the process and wait until it takes events."""
        await asyncio.to_thread(self._worker.start)

    async def kill(self) -> None:
        """SIGKILL: no drain."""
        await asyncio.to_thread(self._worker.kill)

    async def end(self) -> int:
        """SIGTERM, and wait for the drain; the exit code."""
        return await asyncio.to_thread(self._worker.terminate)

    async def get(self, path: str) -> tuple[int, Any]:
        """Ask the API: status, and the JSON of the answer."""
        async with (
            ClientSession(timeout=ClientTimeout(total=10)) as session,
            session.get(self.url + path) as answer,
        ):
            return answer.status, await answer.json(content_type=None)

    async def post(self, path: str, body: bytes, content_type: str = "application/json") -> tuple[int, Any]:
        """Post to the API or the intake."""
        async with (
            ClientSession(timeout=ClientTimeout(total=40)) as session,
            session.post(self.url + path, data=body, headers={"Content-Type": content_type}) as answer,
        ):
            return answer.status, await answer.json(content_type=None)


@asynccontextmanager
async def running(worker: WorkerProcess) -> AsyncIterator[WorkerProcess]:
    """A started worker that is drained at the end."""
    await worker.start()
    try:
        yield worker
    finally:
        await worker.end()
