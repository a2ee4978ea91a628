"""The compose file's backup: a dump counts when it was restored and holds what the database held."""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest
from tests.servers.postgresql import PostgreSQL
from tests.servers.process import ServerError, run, run_status
from tests.servers.worker import Worker

SCRIPT: Final = str(Path(__file__).parents[2] / "deploy/compose/backup.sh")
KEPT: Final = 7

pytestmark = [pytest.mark.e2e, pytest.mark.may_block("runs a script and waits for it")]


@pytest.fixture
def settings(postgresql: PostgreSQL, tmp_path: Path) -> dict[str, str]:
    """The service's variables, over a database with an event in it."""
    worker = Worker(tmp_path, database_url=postgresql.url)
    worker.prepare()
    worker.start()
    try:
        worker.command("send", "--service", "billing", "--severity", "high", "--message", "boom")
    finally:
        assert worker.terminate() == 0
    (tmp_path / "password").write_text("faultwire\n")
    (tmp_path / "backups").mkdir()
    return {
        "PATH": os.environ["PATH"],
        "PGHOST": "127.0.0.1",
        "PGPORT": str(postgresql.port),
        "PGUSER": "faultwire",
        "PASSWORD_FILE": str(tmp_path / "password"),
        "DATABASE": postgresql.url.rpartition("/")[2],
        "BACKUPS": str(tmp_path / "backups"),
    }


def test_a_dump_is_restored_compared_and_the_seventh_but_last_goes(
    settings: dict[str, str], postgresql: PostgreSQL
) -> None:
    backups = Path(settings["BACKUPS"])
    for day in range(KEPT):
        old = backups / f"faultwire-2020-01-0{day + 1}T000000.dump"
        old.touch()
        os.utime(old, (time.time() - 100_000,) * 2)
    assert not run_status([SCRIPT, "check"], settings), "the newest one is too old"
    said = run([SCRIPT, "once"], settings)
    assert "restored and compared, 1|1|1|1|" in said
    names = sorted(path.name for path in backups.iterdir())
    assert len(names) == KEPT
    assert names[0] == "faultwire-2020-01-02T000000.dump"
    assert run_status([SCRIPT, "check"], settings)
    scratch = f"{settings['DATABASE']}_restored"
    left = postgresql.execute(f"SELECT datname FROM pg_database WHERE datname = '{scratch}'")
    assert not left


def test_a_dump_that_cannot_be_restored_does_not_count(settings: dict[str, str], tmp_path: Path) -> None:
    stub = tmp_path / "bin/pg_restore"
    stub.parent.mkdir()
    stub.write_text("#!/bin/sh\nexit 0\n")
    stub.chmod(0o755)
    _refuse(settings | {"PATH": f"{stub.parent}:{settings['PATH']}"})


def test_a_dump_without_the_newest_event_does_not_count(settings: dict[str, str], tmp_path: Path) -> None:
    stub = tmp_path / "bin/pg_restore"
    stub.parent.mkdir()
    lose = 'psql --no-psqlrc --quiet --dbname "$scratch" --command "UPDATE faultwire.events SET count = 0"'
    find = "for word; do scratch=$last; last=$word; done; scratch=${scratch:-$last}"
    stub.write_text(f'#!/bin/sh\n{find}\nPATH=${{PATH#*:}}\npg_restore "$@" && {lose}\n')
    stub.chmod(0o755)
    _refuse(settings | {"PATH": f"{stub.parent}:{settings['PATH']}"})


def _refuse(settings: Mapping[str, str]) -> None:
    with pytest.raises(ServerError):
        run([SCRIPT, "once"], settings)
    assert list(Path(settings["BACKUPS"]).glob("*.dump")) == []
