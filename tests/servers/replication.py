"""A PostgreSQL primary with a streaming standby: pause its replay, promote it, kill the primary."""

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.postgresql import ACCOUNT, PostgreSQL, Server, Servers, account_of_servers
from tests.servers.process import become, run, temporary_home, wait_until


class Standby(Server):
    """A server that begins as a copy of a running one and follows it."""

    def __init__(self, home: Path, primary: Server) -> None:
        self._primary = primary
        super().__init__(home)

    def _make_data(self, template: Path | None) -> None:
        assert template is None
        if (account := account_of_servers()) is not None:
            shutil.chown(self._home, account, account)
        address = ["-h", "127.0.0.1", "-p", str(self._primary.port), "-U", "faultwire"]
        options = ["--write-recovery-conf", "--checkpoint=fast", "--no-sync", "-D", str(self._data)]
        backup = [str(self._bin / "pg_basebackup"), *address, *options]
        run([*become(account), *backup], self._environment)


class ReplicatedPostgreSQL:
    """An empty database on a primary, and its copy on a standby that follows."""

    def __init__(self, primary: Server, standby: Server) -> None:
        self._servers = primary, standby
        self.primary = PostgreSQL(primary, "test")
        self.standby = PostgreSQL(standby, "test")

    @property
    def url(self) -> str:
        """Both hosts, as libpq writes them, the first primary first."""
        ports = [one.port for one in self._servers]
        return self.primary.url.replace(
            f"@127.0.0.1:{ports[0]}/", f"@127.0.0.1:{ports[0]},127.0.0.1:{ports[1]}/"
        )

    def make_synchronous(self) -> None:
        """From now on a commit is told when the standby has it too, as a promotion without loss needs."""
        self.primary.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        self.primary.execute("SELECT pg_reload_conf()")
        is_synchronous = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"
        wait_until(lambda: self.primary.execute(is_synchronous) == "1", "the standby is synchronous")

    def kill_primary(self) -> None:
        """SIGKILL."""
        self._servers[0].kill()

    def stop_primary(self) -> None:
        """A crash of the primary, from which it recovers."""
        self._servers[0].stop_immediately()

    async def start_primary(self) -> None:
        """It comes back as the primary that it was."""
        await asyncio.to_thread(self._servers[0].start)

    async def promote(self) -> None:
        """Make the standby a primary, and wait until it takes writes."""
        await asyncio.to_thread(self.standby.execute, "SELECT pg_promote(true, 60)")

    async def start_primary_as_standby(self) -> None:
        """Bring the killed primary back as an administrator must: not to be written to."""
        signal_file = self._servers[0].data / "standby.signal"
        signal_file.touch()
        if account_of_servers() is not None:
            shutil.chown(signal_file, ACCOUNT, ACCOUNT)
        await asyncio.to_thread(self._servers[0].start)

    def pause_replay(self) -> None:
        """The standby receives on and shows nothing new."""
        self.standby.execute("SELECT pg_wal_replay_pause()")
        paused = "SELECT pg_get_wal_replay_pause_state()"
        wait_until(lambda: self.standby.execute(paused) == "paused", "the replay is paused")

    def resume_replay(self) -> None:
        """It catches up."""
        self.standby.execute("SELECT pg_wal_replay_resume()")

    def stop_standby(self) -> None:
        """A crash of the standby."""
        self._servers[1].stop_immediately()

    async def start_standby(self) -> None:
        """It comes back and catches up."""
        await asyncio.to_thread(self._servers[1].start)

    def pause_standby(self) -> None:
        """SIGSTOP: connections stay open and nothing answers."""
        self._servers[1].pause()

    def resume_standby(self) -> None:
        """SIGCONT."""
        self._servers[1].resume()

    def wait_for_replay(self) -> None:
        """Return when the standby shows all that was committed so far."""
        at = self.primary.execute("SELECT pg_current_wal_lsn()")
        shown = f"SELECT pg_last_wal_replay_lsn() >= '{at}'"
        wait_until(lambda: self.standby.execute(shown) == "t", "the standby has replayed everything")


@contextmanager
def replicated(servers: Servers) -> Iterator[ReplicatedPostgreSQL]:
    """Both on servers that no other test uses."""
    with servers.own() as primary, temporary_home("postgresql-standby") as home:
        primary.execute("CREATE DATABASE test")
        standby = Standby(home, primary)
        try:
            standby.start()
            yield ReplicatedPostgreSQL(primary, standby)
        finally:
            standby.stop_immediately()
