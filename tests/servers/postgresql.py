"""Private PostgreSQL servers: their own port and directory, a fresh database for each test."""

import asyncio
import os
import shutil
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Final

from tests.servers.process import (
    ServerProcess,
    become,
    reserve_port,
    run,
    run_status,
    temporary_home,
    wait_until,
)

ACCOUNT: Final = "postgres"
"""Who runs the server where the tests run as root, which PostgreSQL refuses."""

_OWNER: Final = "faultwire"

# Killed processes lose nothing without fsync, only a machine that loses its power does;
# benchmarks ask for the real thing.
_FAST: Final = ("fsync=off", "full_page_writes=off")
_SETTINGS: Final = (
    "listen_addresses=127.0.0.1",
    "max_connections=200",
    "shared_buffers=128MB",
    "dynamic_shared_memory_type=mmap",  # in the directory, which goes with the session
    "logging_collector=off",
    "timezone=Europe/Berlin",  # what leans on the server's zone being UTC shall fail here
    "log_min_messages=warning",
    "track_commit_timestamp=on",  # the benchmarks read their rates off it
)


def _bin() -> Path | None:
    versions = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    return max(versions, key=lambda path: int(path.parent.name), default=None)


def is_installed() -> bool:
    return _bin() is not None


class Server:
    """One PostgreSQL server; ``start`` and ``stop_immediately`` as often as a test likes."""

    def __init__(
        self,
        home: Path,
        *,
        durable: bool = False,
        template: Path | None = None,
        disk_mebibytes: int | None = None,
    ) -> None:
        found = _bin()
        assert found is not None
        self.port = reserve_port()
        self._bin = found
        self._home = home
        self._data = home / "data"
        self._disk_mebibytes = disk_mebibytes
        self._settings = _SETTINGS if durable else (*_SETTINGS, *_FAST)
        self._process: ServerProcess | None = None
        self._environment = {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "PGPASSWORD": _OWNER,
            "PGCONNECT_TIMEOUT": "5",
        }
        self._make_data(template)

    @property
    def data(self) -> Path:
        return self._data

    @property
    def log(self) -> Path:
        """What it says."""
        return self._home / "server.log"

    @property
    def pid(self) -> int:
        """The process that runs, parent of all the others."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it, or start it again on the data it left, and wait until it accepts."""
        if self._process is None or not self._process.is_running:
            settings = [word for setting in self._settings for word in ("-c", setting)]
            command = [str(self._bin / "postgres"), "-D", str(self._data), "-p", str(self.port)]
            command += ["-k", str(self._home), *settings]
            # SIGQUIT, its immediate shutdown, also when the session is killed: SIGKILL would
            # leave its children and its shared memory behind.
            log = self._home / "server.log"
            if self._disk_mebibytes is None:
                self._process = ServerProcess(
                    command, self._environment, log, account=account_of_servers(), death_signal="QUIT"
                )
            else:
                self._process = ServerProcess(self._on_small_disk(command), self._environment, log)
        self._process.wait_until(self._accepts, "PostgreSQL accepts connections")

    def _on_small_disk(self, command: list[str]) -> list[str]:
        """The command with a disk of its own at ``disk``, that nobody else sees and that ends with it."""
        self._mount_point.mkdir(exist_ok=True)
        size, become_server = f"size={self._disk_mebibytes}m,mode=0777", become(account_of_servers())
        unshare = ["unshare", "--mount"]
        if os.geteuid() != 0:
            # Root in a namespace of its own may mount there, and is who it was for the server.
            unshare += ["--user", "--map-root-user"]
            back = ["unshare", "--user", f"--map-user={os.geteuid()}", f"--map-group={os.getegid()}"]
            become_server = [*back, *become_server]
        mount = 'mount -t tmpfs -o "$1" tmpfs "$2" && shift 2 && exec "$@"'
        words = [size, str(self._mount_point), *become_server, "--pdeathsig", "QUIT", *command]
        return [*unshare, "sh", "-c", mount, "sh", *words]

    @property
    def _mount_point(self) -> Path:
        return self._home / "disk"

    @property
    def disk(self) -> Path:
        """The small disk, as this process reaches it."""
        assert self._process is not None
        return Path(f"/proc/{self._process.pid}/root{self._mount_point}")

    def make_tablespace(self, name: str) -> None:
        """A tablespace on the small disk."""
        space = self.disk / name
        space.mkdir()
        if os.geteuid() == 0:
            shutil.chown(space, ACCOUNT, ACCOUNT)
        self.execute(f"CREATE TABLESPACE {name} LOCATION '{self._mount_point / name}'")

    def stop_immediately(self) -> None:
        """What ``pg_ctl stop -m immediate`` does: every connection breaks, recovery at the next start."""
        if self._process is not None:
            self._process.end(signal.SIGQUIT)

    def kill(self) -> None:
        """SIGKILL the server; its children see that it is gone, and end, before anybody may start again."""
        assert self._process is not None
        self._process.end(signal.SIGKILL)
        wait_until(lambda: not self._accepts_anybody(), "nobody of a killed PostgreSQL is left")

    def pause(self) -> None:
        """SIGSTOP: connections stay open and nothing answers."""
        assert self._process is not None
        self._process.pause()

    def resume(self) -> None:
        assert self._process is not None
        self._process.resume()

    def execute(self, sql: str, *, database: str = "postgres") -> str:
        """Run SQL as the owner by ``psql``; returns unaligned rows."""
        address = ["-h", "127.0.0.1", "-p", str(self.port), "-U", _OWNER, "-d", database]
        options = ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql]
        return run([str(self._bin / "psql"), *address, *options], self._environment).strip()

    def url_of(self, database: str, *, port: int | None = None) -> str:
        return f"postgresql://{_OWNER}:{_OWNER}@127.0.0.1:{port or self.port}/{database}"

    def _accepts(self) -> bool:
        ready = ["-q", "-h", "127.0.0.1", "-p", str(self.port), "-t", "5"]
        return run_status([str(self._bin / "pg_isready"), *ready], self._environment)

    def _accepts_anybody(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _make_data(self, template: Path | None) -> None:
        if os.geteuid() == 0:
            shutil.chown(self._home, ACCOUNT, ACCOUNT)
        if template is not None:
            run([*become(account_of_servers()), "cp", "-a", "--reflink=auto", str(template), str(self._data)])
            return
        password = self._home / "password"
        password.write_text(_OWNER)
        options = ["--no-sync", "-A", "scram-sha-256", f"--pwfile={password}", "-U", _OWNER]
        options += ["--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions"]
        command = [*become(account_of_servers()), str(self._bin / "initdb"), "-D", str(self._data), *options]
        run(command, self._environment)


class PostgreSQL:
    """A test's own empty database."""

    def __init__(self, server: Server, database: str) -> None:
        self._server = server
        self.port = server.port
        self.database = database
        self.url = server.url_of(database)
        """``postgresql://`` of its owner."""

    @property
    def log(self) -> Path:
        """What the server says."""
        return self._server.log

    @property
    def pid(self) -> int:
        """The server's process, parent of those of its sessions."""
        return self._server.pid

    def url_through(self, port: int) -> str:
        """The same database through a proxy's port."""
        return self._server.url_of(self.database, port=port)

    def execute(self, sql: str) -> str:
        """Run SQL by ``psql``, independently of what is under test; returns unaligned rows."""
        return self._server.execute(sql, database=self.database)


class PrivatePostgreSQL(PostgreSQL):
    """The same on a server that no other test uses: stop it, freeze it, start it again."""

    def stop_immediately(self) -> None:
        """Stop as ``pg_ctl stop -m immediate`` does: a crash, with recovery at the next start."""
        self._server.stop_immediately()

    async def start(self) -> None:
        """Start it again on the data that it left, and wait until it accepts."""
        await asyncio.to_thread(self._server.start)

    def pause(self) -> None:
        """SIGSTOP: connections stay open and nothing answers."""
        self._server.pause()

    def resume(self) -> None:
        """SIGCONT."""
        self._server.resume()


class SmallDiskPostgreSQL(PostgreSQL):
    """A database whose tables lie on a small disk, which a test fills and clears."""

    def fill_disk(self) -> None:
        """Leave not a byte."""
        with self._ballast.open("wb", buffering=0) as ballast, suppress(OSError):
            while True:
                ballast.write(bytes(4096))

    def clear_disk(self) -> None:
        """Take away again what filled it."""
        self._ballast.unlink()

    @property
    def _ballast(self) -> Path:
        return self._server.disk / "ballast"


class Servers:
    """The session's servers: one that tests share, and a copy for each test that breaks its own."""

    def __init__(self, *, durable: bool = False) -> None:
        self._durable = durable
        self._exit = ExitStack()
        self._numbers = count(1)
        self._template: Path | None = None
        self._shared: Server | None = None
        self._templates: dict[Callable[[str], None], str] = {}

    @contextmanager
    def shared(self, prepare: Callable[[str], None] | None = None) -> Iterator[PostgreSQL]:
        """A fresh database on the shared server: empty, or a copy of one that was prepared once."""
        if self._shared is None:
            self._shared = self._exit.enter_context(self._server())
        template = "template1" if prepare is None else self._prepared(self._shared, prepare)
        database = f"test_{next(self._numbers)}"
        self._shared.execute(f"CREATE DATABASE {database} TEMPLATE {template}")
        try:
            yield PostgreSQL(self._shared, database)
        finally:
            self._shared.execute(f"DROP DATABASE {database} WITH (FORCE)")

    def _prepared(self, server: Server, prepare: Callable[[str], None]) -> str:
        if prepare not in self._templates:
            template = f"template_{next(self._numbers)}"
            server.execute(f"CREATE DATABASE {template}")
            prepare(PostgreSQL(server, template).url)
            self._templates[prepare] = template
        return self._templates[prepare]

    @contextmanager
    def private(self) -> Iterator[PrivatePostgreSQL]:
        """A server of the test's own."""
        with self._server() as server:
            server.execute("CREATE DATABASE test")
            yield PrivatePostgreSQL(server, "test")

    @contextmanager
    def own(self) -> Iterator[Server]:
        """A server of the test's own, without a database."""
        with self._server() as server:
            yield server

    @contextmanager
    def on_small_disk(self, mebibytes: int) -> Iterator[SmallDiskPostgreSQL]:
        """A server of the test's own, whose database puts new tables on a disk of that size."""
        with self._server(mebibytes) as server:
            server.execute("CREATE DATABASE test")
            server.make_tablespace("small")
            server.execute("ALTER DATABASE test SET default_tablespace = small")
            yield SmallDiskPostgreSQL(server, "test")

    def template(self) -> Path:
        """The data of a server that was made once, and is copied for each."""
        if self._template is None:
            home = self._exit.enter_context(temporary_home("postgresql-template"))
            self._template = Server(home).data
        return self._template

    def stop(self) -> None:
        self._exit.close()

    @contextmanager
    def _server(self, disk_mebibytes: int | None = None) -> Iterator[Server]:
        with temporary_home("postgresql") as home:
            server = Server(
                home, durable=self._durable, template=self.template(), disk_mebibytes=disk_mebibytes
            )
            try:
                server.start()
                yield server
            finally:
                server.stop_immediately()


def account_of_servers() -> str | None:
    return ACCOUNT if os.geteuid() == 0 else None
