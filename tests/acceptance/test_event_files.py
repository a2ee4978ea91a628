"""An operator takes events out of one worker and into another; what is killed on the way is run again."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from tests.tools.factories import raised, wire_event
from tests.tools.worker_process import WorkerProcess, command, running

pytestmark = pytest.mark.may_block("starts processes, reads files")

EVENTS = 1_200


def events() -> list[dict[str, Any]]:
    """Events of 24 bugs, few enough of each that every body is kept, numbered by their producer."""
    return [
        wire_event(
            message=f"order {number} refused",
            severity=("low", "high", "critical")[number % 3],
            exceptions=[
                raised("ValueError", qualname=f"charge_{chr(97 + number % 24)}", value=f"order {number}")
            ],
            scrubbed=True,
            producer_id="p-1",
            sequence=number + 1,
        )
        for number in range(EVENTS)
    ]


async def incidents(worker: WorkerProcess) -> list[dict[str, Any]]:
    """What they are but for ids, which go by the order of arrival, and figures, which come moments later."""
    _, document = await worker.get("/api/v1/incidents?limit=100")
    others = ("id", "title", "users", "urgency", "growth", "new")
    known = [{key: row[key] for key in row if key not in others} for row in document["incidents"]]
    return sorted(known, key=lambda row: (row["culprit"], row["severity"]))


def lines_of(file: Path) -> list[dict[str, Any]]:
    text = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    return [json.loads(line) for line in text.splitlines()]


def names(folder: Path, pattern: str = "*") -> list[str]:
    return sorted(path.name for path in folder.glob(pattern))


@pytest.fixture(params=["sqlite", "postgresql"])
def target_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'target.db'}"
    url: str = request.getfixturevalue("current_postgresql").url
    return url


@pytest.mark.e2e
@pytest.mark.timeout(300)
async def test_what_was_exported_is_imported_once_with_its_counts_and_incidents(
    target_url: str, tmp_path: Path
) -> None:
    sent = events()
    file = tmp_path / "events.jsonl.gz"
    words = ("events", "export", "-o", str(file))
    async with running(WorkerProcess(tmp_path, database_url=f"sqlite:///{tmp_path / 'a.db'}")) as source:
        for start in range(0, EVENTS, 400):
            await source.post("/ingest/v1/events", json.dumps(sent[start : start + 400]).encode())
        settings = {"FAULTWIRE_URL": source.url}
        killed, _, _ = await command(
            *words, cwd=tmp_path, FAULTWIRE_TEST_FAILPOINT="export.written:1", **settings
        )
        assert (killed, file.exists(), f"{file.name}.part" in names(tmp_path)) == (-9, False, True)
        code, _, err = await command(*words, cwd=tmp_path, **settings)
        assert (code, "give --resume, or remove it" in err) == (2, True)
        code, out, err = await command(*words, "--resume", "--json", cwd=tmp_path, **settings)
        assert (code, json.loads(out)["events"]) == (0, EVENTS), err
        assert names(tmp_path, "events.*") == [file.name]
        before = await incidents(source)
    assert sorted(lines_of(file), key=str) == sorted(sent, key=str)

    async with running(WorkerProcess(tmp_path, database_url=target_url)) as target:
        settings = {"FAULTWIRE_URL": target.url}
        part = tmp_path / "a-part.jsonl"
        part.write_text("".join(json.dumps(event) + "\n" for event in sent[:400:2]))
        code, out, err = await command("events", "import", str(part), "--json", cwd=tmp_path, **settings)
        assert (code, json.loads(out)["stored"]) == (0, 200), err
        code, out, err = await command("events", "import", str(file), "--json", cwd=tmp_path, **settings)
        counts = json.loads(out)
        assert (code, counts["stored"], counts["duplicates"]) == (0, EVENTS - 200, 200), err
        assert await incidents(target) == before
        _, producers = await target.get("/api/v1/producers")
        assert producers["producers"] == []

        bad = tmp_path / "bad.jsonl"
        bad.write_text(json.dumps(sent[0]) + '\n{"id": 7}\n{"id":\n')
        code, _, err = await command("events", "import", str(bad), cwd=tmp_path, **settings)
        assert (code, f"{bad}:2: a dead letter: invalid_event" in err) == (1, True), err
        assert f"{bad}:3: not an event: " in err
        assert "0 stored, 1 duplicates, 1 dead lettered, 1 refused" in err
        again = tmp_path / "again.jsonl"
        await command("events", "export", "-o", str(again), cwd=tmp_path, **settings)
    assert sorted(lines_of(again), key=str) == sorted(sent, key=str)


async def test_files_and_workers_that_are_not_there_are_told(tmp_path: Path) -> None:
    settings = {"FAULTWIRE_URL": "http://127.0.0.1:1"}
    (tmp_path / "events.jsonl").write_text("{}\n")
    for words, code, told in (
        (("import", "nowhere.jsonl"), 2, "nowhere.jsonl is not there"),
        (("import", "."), 2, ". is a directory"),
        (("import",), 2, "name the files, or - for stdin"),
        (("import", "events.jsonl"), 1, "no worker answers at http://127.0.0.1:1"),
        (("export", "-o", "events.jsonl"), 2, "events.jsonl is there already; name another file"),
        (("export", "-o", "away/events.jsonl"), 2, "away is not a directory"),
        (("export", "-o", "new.jsonl"), 1, "no worker answers at http://127.0.0.1:1"),
    ):
        found, _, err = await command("events", *words, cwd=tmp_path, **settings)
        assert (found, told in err) == (code, True), err
    assert names(tmp_path, "*.json*") == ["events.jsonl"]
