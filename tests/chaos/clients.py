"""Starts the clients again whenever they die, and takes down what they say."""

import asyncio
import os
import resource
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

from msgspec import Struct
from tests.chaos.book import Book
from tests.servers.worker import clean_environment

REST_SECONDS: Final = 0.2
CLOSE_SECONDS: Final = 60.0
# Python 3.12 and newer warn of a fork beside a thread, and our thread is one: the guide says so.
QUIET: Final = ("-W", "ignore:This process:DeprecationWarning")
ROOT: Final = Path(__file__).parents[2]


class Role(Struct, frozen=True, kw_only=True):
    """One client, as it is started each time."""

    name: str
    way: str
    url: str
    service: str
    spool: Path
    seed: int
    per_second: float


class KeptClient:
    """One client that lives, dies and is started again."""

    def __init__(self, role: Role, book: Book, home: Path) -> None:
        self.role = role
        self.complaints: list[str] = []
        self._book = book
        self._home = home
        self._process: asyncio.subprocess.Process | None = None
        self._is_closing = False
        self.has_no_spool = False
        """Its spool's directory cannot be used: what it holds in memory alone may be lost."""
        self._readers: list[asyncio.Task[None]] = []

    async def keep(self) -> None:
        """Run it until it is closed; whatever a fault does to it, it comes again."""
        while not self._is_closing:
            process = await self._start()
            self._readers.append(asyncio.create_task(self._read(process)))
            code = await process.wait()
            self._book.note_end(process.pid, code)
            if code not in (-signal.SIGKILL, -signal.SIGTERM) and not (self._is_closing and code == 0):
                self.complaints.append(f"client {self.role.name} ended by itself with {code}")
            await asyncio.sleep(REST_SECONDS)
        # What was forked may live a little longer, and speaks by the same pipe.
        _, late = await asyncio.wait(self._readers, timeout=CLOSE_SECONDS)
        if late:
            self.complaints.append(f"a process of client {self.role.name} does not end")

    async def close(self) -> None:
        """End its input, upon which it closes and ends."""
        self._is_closing = True
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    def send(self, number: signal.Signals) -> None:
        """A signal to the process alone."""
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)

    def kill_all(self) -> None:
        """SIGKILL to it and to everything that it has forked."""
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def has_died(self) -> None:
        """Return when the process that was started last is gone."""
        if self._process is not None:
            await self._process.wait()

    def limit_disk(self, size: int) -> int:
        """Let it write no file beyond a size; the process that it concerns."""
        assert self._process is not None
        pid = self._process.pid
        if size != resource.RLIM_INFINITY:
            self._book.note_no_disk(pid, client=self.role.name, service=self.role.service)
        with suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        return pid

    async def _start(self) -> asyncio.subprocess.Process:
        role = self.role
        words = (role.way, role.url, role.service, role.spool, role.seed, role.per_second)
        with (self._home / f"{role.name}.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *QUIET,
                "-m",
                "tests.chaos.stranger" if role.way == "stranger" else "tests.chaos.client",
                *map(str, words),
                cwd=ROOT,
                env=clean_environment(self._home),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        if self.has_no_spool:
            self._book.note_no_disk(self._process.pid, client=role.name, service=role.service)
        if self._is_closing:
            await self.close()
        return self._process

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        """Every whole line; where a kill has cut the last one off, it was never said."""
        assert process.stdout is not None
        while (line := await process.stdout.readline()).endswith(b"\n"):
            text = line.decode().rstrip("\n")
            self._book.read(text, client=self.role.name, service=self.role.service)
