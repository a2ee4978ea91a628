"""An operator makes the database smaller by hand."""

import asyncio
import json
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import pytest
from msgspec import UNSET
from tests.tools.aged import fill, kept
from tests.tools.clock import FixedClock
from tests.tools.waiting import until
from tests.tools.worker_process import WorkerProcess

from faultwire_consumer.cli.application import run
from faultwire_consumer.domain.retention import Retention
from faultwire_consumer.maintenance.manual_pruning import (
    NoFileError,
    PruneReport,
    PruneRequest,
    prune_by_hand,
)
from faultwire_consumer.store.engine import open_store
from faultwire_consumer.store.upkeep.leases import acquire_lease
from faultwire_consumer.store.upkeep.retention import ReportDeleted
from faultwire_consumer.store.upkeep.retention_looks import read_last_look, write_last_look
from faultwire_shared.event import ErrorSeverity

NOW = partial(datetime.now, UTC)

pytestmark = pytest.mark.may_block("commands have loops of their own, in threads")


@pytest.fixture
async def url(database_url: str) -> str:
    """A database with three days of events, of which one is old."""
    store = await open_store(database_url)
    await fill(store, FixedClock(datetime.now(UTC)), days=[1, 5, 100], each=2)
    await store.close()
    return database_url


async def days_in(url: str) -> list[list[int]]:
    store = await open_store(url)
    try:
        return list((await kept(store)).values())
    finally:
        await store.close()


class Shell:
    """``faultwire`` in this process, where a command starts at once."""

    def __init__(self, url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capsys = capsys
        self._set = monkeypatch.setenv
        self._set("FAULTWIRE_DATABASE_URL", url)

    async def db(self, *arguments: str, **environment: str) -> tuple[int, Any, str]:
        """Exit code, stdout (read, where it is JSON) and stderr of ``faultwire db``."""
        for name, value in environment.items():
            self._set(name, value)
        self._capsys.readouterr()
        code = await asyncio.to_thread(run, ["db", *arguments])
        out, err = self._capsys.readouterr()
        return code, json.loads(out) if "--json" in arguments and code == 0 else out, err


@pytest.fixture
def shell(
    url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Shell:
    monkeypatch.chdir(tmp_path)
    return Shell(url, capsys, monkeypatch)


async def test_a_dry_run_says_what_would_go_and_a_prune_takes_it_once(url: str, shell: Shell) -> None:
    day = (datetime.now(UTC) - timedelta(days=100)).date()
    code, told, _ = await shell.db("prune", "--dry-run", "--json")
    assert code == 0
    assert (told["dry_run"], told["rows"]) == (True, 8)
    assert [(one["day"], one["severity"], one["rows"]) for one in told["days"]] == [
        (str(day), severity, 2) for severity in ("low", "medium", "high", "critical")
    ]
    assert await days_in(url) == [[2, 2, 2, 2]] * 3
    code, out, err = await shell.db("prune")
    assert (code, "give --yes" in err) == (2, True), "nobody is there to be asked"
    code, out, err = await shell.db("prune", "--yes")
    assert code == 0
    assert f"{day}  low" in out
    assert "8 events of 1 day," in err
    assert await days_in(url) == [[2, 2, 2, 2]] * 2
    code, told, _ = await shell.db("prune", "--json")
    assert (code, told["rows"], told["days"]) == (0, 0, [])
    _, document, _ = await shell.db("status", "--json")
    assert document["days"] == 2
    assert document["bytes"] > 0
    assert set(document["kept_from"]) == {"low", "medium", "high", "critical"}
    _, status, _ = await shell.db("status")
    assert "; 2 days, the oldest " in status


async def test_what_goes_can_be_named_by_day_and_severity_and_the_last_days_never_go(
    url: str, shell: Shell
) -> None:
    code, _, _ = await shell.db("prune", "--older-than", "3d", "--severity", "low", "--yes")
    assert code == 0
    assert await days_in(url) == [[0, 2, 2, 2]] * 2 + [[2, 2, 2, 2]]
    tomorrow = str((datetime.now(UTC) + timedelta(days=1)).date())
    for wrong in (("--before", tomorrow), ("--before", "soon"), ("--severity", "low")):
        code, _, err = await shell.db("prune", *wrong, "--yes")
        assert code == 2, err
    code, _, err = await shell.db("prune", "--before", "2026-01-01", "--older-than", "3d")
    assert code == 2


async def test_sizes_in_the_settings_are_written_as_people_write_them(url: str, shell: Shell) -> None:
    code, told, _ = await shell.db("prune", "--dry-run", "--json", FAULTWIRE_RETENTION_BYTES="1KB")
    assert (code, told["rows"]) == (0, 16), "the two days that may go"
    code, told, _ = await shell.db("prune", "--dry-run", "--json", FAULTWIRE_RETENTION_BYTES="20GB")
    assert (code, told["rows"]) == (0, 8)
    code, _, err = await shell.db("prune", "--dry-run", FAULTWIRE_RETENTION_BYTES="much")
    assert (code, "FAULTWIRE_RETENTION_BYTES" in err) == (78, True)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_while_somebody_prunes_another_is_told_to_wait(url: str, shell: Shell) -> None:
    store = await open_store(url)
    await acquire_lease(store, "pruning", "another", now=datetime.now(UTC))
    await store.close()
    code, _, err = await shell.db("prune", "--older-than", "3d", "--yes")
    assert (code, "run this again in a minute" in err) == (1, True)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_sqlite_file_is_its_worker_s_which_prunes_by_itself(url: str, shell: Shell) -> None:
    worker = await open_store(url)
    code, _, err = await shell.db("prune", "--older-than", "3d", "--yes")
    assert code == 1
    assert "stop it" in err
    assert "prunes by itself" in err
    code, told, _ = await shell.db("prune", "--older-than", "3d", "--dry-run", "--json")
    assert (code, told["rows"]) == (0, 16)
    await worker.close()
    code, _, _ = await shell.db("prune", "--older-than", "3d", "--vacuum", "--yes")
    assert code == 0
    assert await days_in(url) == [[2, 2, 2, 2]]


def never() -> NoReturn:
    raise AssertionError("nobody was to be asked, and nothing was to go")


def request(url: str, **asked: Any) -> PruneRequest:
    retention = Retention(days=dict.fromkeys(ErrorSeverity, 90))
    return PruneRequest(database_url=url, retention=retention, **asked)


async def test_who_says_no_keeps_everything_and_was_told_what_would_go(url: str) -> None:
    asked: list[PruneReport] = []

    def refuse(report: PruneReport) -> bool:
        asked.append(report)
        return False

    wanted = request(url, before=(NOW() - timedelta(days=3)).date())
    done = await prune_by_hand(wanted, confirm=refuse, show_progress=lambda _: never(), clock=NOW)
    assert done is None
    (report,) = asked
    assert (report.rows, report.bytes_after) == (16, UNSET)
    assert sum(day.rows for day in report.days) == 16
    assert await days_in(url) == [[2, 2, 2, 2]] * 3


async def test_what_goes_is_counted_as_it_goes(url: str) -> None:
    gone: list[int] = []
    expected: list[int] = []

    def show(rows: int) -> AbstractContextManager[ReportDeleted]:
        expected.append(rows)
        return nullcontext(gone.append)

    wanted = request(url, before=(NOW() - timedelta(days=3)).date(), severities=[ErrorSeverity.LOW])
    report = await prune_by_hand(wanted, confirm=lambda _: True, show_progress=show, clock=NOW)
    assert report is not None
    assert (report.rows, expected, sum(gone)) == (4, [4], 4)
    assert isinstance(report.bytes_after, int)
    assert list(report.kept_from) == [ErrorSeverity.LOW]


async def test_what_retention_asked_for_goes_by_hand_and_retention_goes_on(url: str) -> None:
    store = await open_store(url)
    await write_last_look(store, (NOW() - timedelta(days=60)).date())
    await store.close()

    await prune_by_hand(
        request(url), confirm=lambda _: True, show_progress=lambda _: nullcontext(lambda _: None), clock=NOW
    )
    assert await days_in(url) == [[2, 2, 2, 2]] * 2
    store = await open_store(url)
    assert await read_last_look(store) == NOW().date()
    await store.close()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_only_a_file_is_written_anew(url: str) -> None:
    with pytest.raises(NoFileError):
        await prune_by_hand(
            request(url, vacuum=True), confirm=lambda _: never(), show_progress=lambda _: never(), clock=NOW
        )


async def test_the_worker_prunes_as_it_is_configured(url: str, tmp_path: Path) -> None:
    worker = WorkerProcess(tmp_path, database_url=url, FAULTWIRE_RETENTION_LOW_DAYS="3")
    await worker.start()
    try:

        async def is_pruned() -> bool:
            status, document = await worker.get("/api/v1/events?limit=100")
            assert status == 200
            return len(document["events"]) == 14 and "retention.pruned" in worker.log.read_text()

        await until(is_pruned, "what is older than 90 days is gone, and low ones older than 3")
    finally:
        await worker.end()
    assert await days_in(url) == [[0, 2, 2, 2], [2, 2, 2, 2]]
