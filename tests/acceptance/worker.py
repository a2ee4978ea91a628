"""A worker as operators start it: a process by the CLI, asked over HTTP, ended by signals."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from aiohttp import ClientError, ClientSession, ClientTimeout
from tests.servers.process import reserve_port
from tests.waiting import until

FAULTWIRE: Final = str(Path(sys.executable).parent / "faultwire")
START_SECONDS: Final = 60.0


def clean_environment(**settings: str) -> dict[str, str]:
    """This process's environment without any setting of ours, and with those given."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FAULTWIRE_")}
    for name in ("DATABASE_URL", "RABBITMQ_URL", "PORT"):
        kept.pop(name, None)
    return kept | settings


async def command(*arguments: str, cwd: Path | None = None, **settings: str) -> tuple[int, str, str]:
    """Run ``faultwire`` to its end: exit code, stdout, stderr."""
    process = await asyncio.create_subprocess_exec(
        FAULTWIRE,
        *arguments,
        cwd=cwd,
        env=clean_environment(**settings),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(START_SECONDS):
        out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


class WorkerProcess:
    """One worker on a port of its own; start it again after a kill as often as a test likes."""

    def __init__(self, directory: Path, *, database_url: str, broker_url: str | None = None) -> None:
        self._directory = directory
        self._port = reserve_port()
        self._settings = {
            "FAULTWIRE_DATABASE_URL": database_url,
            "FAULTWIRE_HTTP_PORT": str(self._port),
            "FAULTWIRE_LOG_FORMAT": "json",
        }
        if broker_url is not None:
            self._settings["FAULTWIRE_BROKER_URL"] = broker_url
        self._process: asyncio.subprocess.Process | None = None
        self.url = f"http://127.0.0.1:{self._port}"

    @property
    def log(self) -> str:
        """Everything that its lives have logged."""
        return (self._directory / "worker.log").read_text()

    async def start(self, *, until_ready: bool = True) -> None:
        """Start the process and wait until it takes events."""
        with (self._directory / "worker.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                FAULTWIRE,
                "worker",
                cwd=self._directory,
                env=clean_environment(**self._settings),
                stdout=log,
                stderr=log,
            )
        if until_ready:
            await until(self.is_ready, "the worker is ready", seconds=START_SECONDS)

    async def is_ready(self) -> bool:
        if self._process is not None and self._process.returncode is not None:
            raise AssertionError(f"the worker ended with {self._process.returncode}:\n{self.log[-3000:]}")
        try:
            return (await self.get("/readyz"))[0] == 200
        except (ClientError, TimeoutError, OSError):
            return False

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

    async def kill(self) -> None:
        """SIGKILL: no drain."""
        await self.end(signal.SIGKILL)

    async def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; the exit code, negative for a signal's."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(number)
        async with asyncio.timeout(60):
            return await self._process.wait()


@asynccontextmanager
async def running(worker: WorkerProcess) -> AsyncIterator[WorkerProcess]:
    """A started worker that is drained at the end."""
    await worker.start()
    try:
        yield worker
    finally:
        await worker.end()
