"""A SQLite file among other things of a disk: its name, its other names, its rights, its backups."""

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.tools.aged import fill
from tests.tools.clock import FixedClock

from faultwire_consumer.store.contract.store import StoreTakenError, StoreUnavailableError
from faultwire_consumer.store.contract.url import DatabaseUrlError, parse_database_url
from faultwire_consumer.store.engine import open_store
from faultwire_consumer.store.sqlite.backup import BackupRefusedError, back_up

pytestmark = pytest.mark.may_block("looks at files")


@pytest.fixture(autouse=True)
def _open_to_all() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("folder", ["C#", "why?", "%41", "a b", "ä"])
async def test_a_folder_may_have_any_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path / folder)
    absolute = f"sqlite:///{str(tmp_path / folder / 'x.db').replace('%', '%25')}"
    store = await open_store("sqlite:///x.db" if "?" in folder else absolute)
    await fill(store, FixedClock(datetime.now(UTC)), days=[0], each=1)
    await store.ping()
    await store.close()
    assert names_in(tmp_path) == [folder]


def test_nothing_may_follow_a_file_s_name() -> None:
    with pytest.raises(DatabaseUrlError, match="nothing may follow"):
        parse_database_url("sqlite:///x.db?mode=ro")


async def test_only_its_owner_may_read_the_file_and_its_log(tmp_path: Path) -> None:
    store = await open_store(f"sqlite:///{tmp_path / 'x.db'}")
    try:
        await fill(store, FixedClock(datetime.now(UTC)), days=[0], each=1)
        names = ["x.db", "x.db-shm", "x.db-wal", "x.db.lock"]
        assert names_in(tmp_path) == names
        assert [mode_of(tmp_path / name) for name in names] == [0o600] * len(names)
    finally:
        await store.close()


async def test_by_a_symbolic_link_it_is_the_same_file(tmp_path: Path) -> None:
    store = await open_store(f"sqlite:///{tmp_path / 'x.db'}")
    (tmp_path / "current.db").symlink_to("x.db")
    with pytest.raises(StoreTakenError, match="another worker"):
        await open_store(f"sqlite:///{tmp_path / 'current.db'}")
    await store.close()
    await (await open_store(f"sqlite:///{tmp_path / 'current.db'}")).close()


async def test_a_file_with_several_names_is_not_opened(tmp_path: Path) -> None:
    await (await open_store(f"sqlite:///{tmp_path / 'x.db'}")).close()
    (tmp_path / "y.db").hardlink_to(tmp_path / "x.db")
    with pytest.raises(StoreUnavailableError, match=r"2 names \(hard links\)"):
        await open_store(f"sqlite:///{tmp_path / 'x.db'}")


@pytest.mark.parametrize("put_back", [False, True], ids=["removed", "replaced"])
async def test_nothing_is_stored_into_a_file_that_nobody_will_find(tmp_path: Path, *, put_back: bool) -> None:
    path = tmp_path / "x.db"
    store = await open_store(f"sqlite:///{path}")
    path.unlink()
    if put_back:
        path.touch()
    with pytest.raises(StoreUnavailableError, match="removed or replaced"):
        await store.ping()
    with pytest.raises(StoreUnavailableError, match="removed or replaced"):
        async with store.write():
            pass
    await store.close()


async def test_a_backup_of_a_file_in_use_holds_what_was_just_stored(tmp_path: Path) -> None:
    source, target = tmp_path / "x.db", tmp_path / "backup.db"
    store = await open_store(f"sqlite:///{source}")
    try:
        await fill(store, FixedClock(datetime.now(UTC)), days=[0, 1], each=20)
        made = back_up(source, target)
    finally:
        await store.close()
    assert (made.events, made.bytes, mode_of(target)) == (160, target.stat().st_size, 0o600)
    assert [name for name in names_in(tmp_path) if "backup" in name] == ["backup.db"]
    with closing(sqlite3.connect(target)) as copied:
        assert copied.execute("SELECT count(*) FROM events").fetchone() == (160,)
    await (await open_store(f"sqlite:///{target}")).close()


def test_a_backup_overwrites_nothing_and_makes_nothing_up(tmp_path: Path) -> None:
    source, target = tmp_path / "x.db", tmp_path / "backup.db"
    with pytest.raises(BackupRefusedError, match="there is no database"):
        back_up(source, target)
    source.write_text("not a database")
    with pytest.raises(StoreUnavailableError, match="not a database"):
        back_up(source, target)
    assert [path.name for path in tmp_path.iterdir()] == ["x.db"]
    target.touch()
    with pytest.raises(BackupRefusedError, match="is there already"):
        back_up(source, target)
