"""The databases of chaos: what can be done to SQLite's file, to a PostgreSQL server and to a pair of them."""

import asyncio
import os
import resource
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final, Protocol

from tests.servers.postgresql import PostgreSQL, Server, Servers, SmallDiskPostgreSQL, account_of_servers
from tests.servers.process import ServerProcess, become, temporary_home
from tests.servers.replication import ReplicatedPostgreSQL, replicated

DISK_MEBIBYTES: Final = 32
HOLDS_A_DISK: Final = 'mount -t tmpfs -o "$1" tmpfs "$2" && echo mounted && exec sleep infinity'
LOCKER: Final = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], timeout=30)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
"""
OURS: Final = "datname = current_database() AND application_name LIKE 'faultwire%'"
END_SESSIONS: Final = f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {OURS}"
LOCK: Final = "LOCK TABLE faultwire.incidents IN ACCESS EXCLUSIVE MODE"


class Database(Protocol):
    """What a run needs to know of its database, whichever it is."""

    port: int

    @property
    def url(self) -> str:
        """Where it is read from; a promotion moves it."""
        ...

    def url_through(self, port: int) -> str:
        """Where the workers find it, behind a proxy's port."""
        ...


class SqliteFile:
    """A SQLite file of one worker's."""

    port = 0

    def __init__(self, path: Path) -> None:
        self.path = path
        self.url = f"sqlite:///{path}"

    def url_through(self, _: int) -> str:
        """There is nothing in between."""
        return self.url

    async def lock(self, seconds: float) -> None:
        """Another process has the file's write lock."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            LOCKER,
            str(self.path),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert process.stdout is not None
        await process.stdout.readline()
        await asyncio.sleep(seconds)
        await process.communicate(b"")  # closes its stdin

    async def fill_disk(self, pid: int, seconds: float) -> None:
        """No file of the worker's may grow: what the kernel refuses (EFBIG) comes as SQLite's I/O error."""
        sizes = [one.stat().st_size for one in self.path.parent.glob(f"{self.path.name}*")]
        limit(pid, max(sizes, default=0))
        await asyncio.sleep(seconds)
        limit(pid, resource.RLIM_INFINITY)


def limit(pid: int, size: int) -> None:
    with suppress(ProcessLookupError):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


class DiskServer(Server):
    """A PostgreSQL server whose small disk outlives it: somebody else holds the namespace that it is in."""

    def __init__(self, home: Path, template: Path) -> None:
        super().__init__(home, template=template, disk_mebibytes=DISK_MEBIBYTES)
        self._mount_point.mkdir()
        words = [f"size={DISK_MEBIBYTES}m,mode=0777", str(self._mount_point)]
        command = ["unshare", "--mount", "sh", "-c", HOLDS_A_DISK, "sh", *words]
        self.holder = ServerProcess(command, dict(os.environ), home / "disk.log")
        self.holder.wait_until(self._is_mounted, "the small disk is there")

    @property
    def disk(self) -> Path:
        return Path(f"/proc/{self.holder.pid}/root{self._mount_point}")

    def _is_mounted(self) -> bool:
        return "mounted" in self.holder.log.read_text()

    def _on_small_disk(self, command: list[str]) -> list[str]:
        enter = ["nsenter", f"--mount=/proc/{self.holder.pid}/ns/mnt"]
        return [*enter, *become(account_of_servers()), "--pdeathsig", "QUIT", *command]


class PostgresqlServer(SmallDiskPostgreSQL):
    """A PostgreSQL server of the run's own, with its tables on a small disk where this process may mount."""

    async def kill(self, seconds: float) -> None:
        """SIGKILL to the server, and recovery after a while."""
        await asyncio.to_thread(self._server.kill)
        await self._return(seconds)

    async def crash(self, seconds: float) -> None:
        """``pg_ctl stop -m immediate``, and recovery after a while."""
        await asyncio.to_thread(self._server.stop_immediately)
        await self._return(seconds)

    async def _return(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await asyncio.to_thread(self._server.start)

    async def stop(self, seconds: float) -> None:
        """SIGSTOP to all of it, and SIGCONT after a while."""
        await asyncio.to_thread(self._server.pause)
        await asyncio.sleep(seconds)
        self._server.resume()

    async def lock(self, seconds: float) -> None:
        """Nobody reads or writes incidents meanwhile."""
        words = f"BEGIN; {LOCK}; SELECT pg_sleep({seconds:.3f}); COMMIT"
        await asyncio.to_thread(self.execute, words)

    async def have_full_disk(self, seconds: float) -> None:
        """No table grows meanwhile; where this process may not mount, nothing is done."""
        if isinstance(self._server, DiskServer):
            await asyncio.to_thread(self.fill_disk)
            await asyncio.sleep(seconds)
            self.clear_disk()


@contextmanager
def postgresql_server(servers: Servers) -> Iterator[PostgresqlServer]:
    """A server of the run's own, with an empty database."""
    with ExitStack() as stack:
        server: Server
        if os.geteuid() == 0:
            home = stack.enter_context(temporary_home("postgresql"))
            server = DiskServer(home, servers.template())
            stack.callback(server.holder.end)
            server.start()
            server.make_tablespace("small")
            stack.callback(server.stop_immediately)
        else:
            server = stack.enter_context(servers.own())
        server.execute("CREATE DATABASE test")
        if isinstance(server, DiskServer):
            server.execute("ALTER DATABASE test SET default_tablespace = small")
        yield PostgresqlServer(server, "test")


class PostgresqlPair:
    """A primary with its synchronous standby; what was committed is on both."""

    port = 0

    def __init__(self, pair: ReplicatedPostgreSQL) -> None:
        self._pair = pair
        self.writer: PostgreSQL = pair.primary

    @property
    def url(self) -> str:
        return self.writer.url

    def url_through(self, _: int) -> str:
        """Both hosts: a worker finds the one that takes writes."""
        return self._pair.url

    def execute(self, sql: str) -> str:
        return self.writer.execute(sql)

    async def promote(self) -> None:
        """The primary is killed, its standby takes its place for good."""
        await asyncio.to_thread(self._pair.kill_primary)
        await self._pair.promote()
        self.writer = self._pair.standby


@contextmanager
def postgresql_pair(servers: Servers) -> Iterator[PostgresqlPair]:
    """A primary and its standby, both the run's own."""
    with replicated(servers) as pair:
        pair.make_synchronous()
        yield PostgresqlPair(pair)


async def end_sessions(database: PostgreSQL | PostgresqlPair) -> None:
    """Terminate every session of the workers."""
    await asyncio.to_thread(database.execute, END_SESSIONS)
