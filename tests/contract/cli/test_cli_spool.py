"""``faultwire spool`` over directories that hold spools."""

import json
import os
from pathlib import Path

import pytest
from tests.tools.spool_bench import CRITICAL, spooling
from tests.tools.spool_reader import spooled_ids

from faultwire_consumer.cli.application import run

pytestmark = pytest.mark.may_block("commands are synchronous")

NOBODY_LISTENS = "http://127.0.0.1:1"


def test_status_shows_each_service_with_its_files_and_events(
    spools: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (spools / "shop" / "shop-9-00000000.db.corrupt-17").write_bytes(b"")
    (spools / "shop" / "shop-9-00000000.db.corrupt-17-wal").write_bytes(b"")
    assert run(["spool", "status", "--path", str(spools)]) == 0
    header, *rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    named = [dict(zip(header, row, strict=True)) for row in rows]
    assert [row["service"] for row in named] == ["billing", "shop"]
    assert {key: named[0][key] for key in ("files", "owned", "critical", "low", "quarantined")} == {
        "files": "1",
        "owned": "0",
        "critical": "2",
        "low": "3",
        "quarantined": "0",
    }
    assert int(named[0]["bytes"]) > 8192
    assert named[1]["quarantined"] == "1"
    assert named[1]["path"] == str(spools / "shop")


def test_status_of_one_directory_says_who_lives(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with spooling(tmp_path / "s") as bench:
        bench.hand(CRITICAL)
        assert run(["spool", "status", "--path", str(tmp_path / "s"), "--json"]) == 0
    (spool,) = json.loads(capsys.readouterr().out)["spools"]
    assert (spool["files"], spool["owned"], spool["critical"]) == (1, 1, 1)


def test_status_looks_where_the_environment_says_and_finds_nothing_without_a_word_of_alarm(
    spools: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["spool", "status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"spools": []}
    monkeypatch.setenv("FAULTWIRE_SPOOL_PATH", str(spools / "shop"))
    assert run(["spool", "status", "--json"]) == 0
    (spool,) = json.loads(capsys.readouterr().out)["spools"]
    assert spool["service"] == "shop"


def test_a_path_that_is_none_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["spool", "status", "--path", str(tmp_path / "nowhere")]) == 1
    assert "is not a directory" in capsys.readouterr().err


def test_somebody_elses_spool_is_told_not_passed_over(
    spools: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    assert run(["spool", "drain", "--path", str(spools)]) == 1
    assert f"belongs to user {owner}: run this as that user" in capsys.readouterr().err


def test_a_drain_without_a_broker_fails_in_one_line_and_leaves_everything(
    spools: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["spool", "drain", "--path", str(spools), "--broker-url", NOBODY_LISTENS]) == 1
    told = capsys.readouterr().err
    assert "published 0, the rest stays on disk" in told
    assert len(told.splitlines()) == 1
    assert len(spooled_ids(spools / "billing")) == 5


def test_a_broker_url_that_cannot_be_is_a_mistake_in_the_configuration(
    spools: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["spool", "drain", "--path", str(spools), "--broker-url", "redis://x"]) == 78
    assert "broker_url must begin with" in capsys.readouterr().err


def test_a_drain_of_nothing_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    assert run(["spool", "drain", "--path", str(tmp_path / "empty"), "--broker-url", NOBODY_LISTENS]) == 0
    assert "no dead process left anything" in capsys.readouterr().err
