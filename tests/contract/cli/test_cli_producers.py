"""``producers list`` by service: a state in a word, and what all its processes add up to."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.tools.api_stub import ApiStub

from faultwire_consumer.cli.application import run
from faultwire_consumer.cli.producers import ProducerState, by_service, state_of

pytestmark = pytest.mark.may_block("commands are synchronous")

NOW = datetime.now(UTC)


def producer(seen: int, reported: int | None, service: str = "billing", **values: Any) -> dict[str, Any]:
    """A producer that was seen, and last reported, so many seconds ago."""
    said = None if reported is None else (NOW - timedelta(seconds=reported)).isoformat()
    counts = {"missing": 0, "dead_lettered": 0, "spool_depth": 0, "last_sequence": 9, "lost": {}}
    seen_at = (NOW - timedelta(seconds=seen)).isoformat()
    who = {"id": f"{seen:04}", "service": service, "host": "web"}
    return {**who, "last_seen_at": seen_at, "last_report_at": said, **counts, **values}


@pytest.mark.parametrize(
    ("found", "state"),
    [
        (producer(10, None), ProducerState.REPORTS),
        (producer(10, 500), ProducerState.REPORTS),
        (producer(3600, 3600), ProducerState.SETTLED),
        (producer(3600, 3650), ProducerState.SETTLED),
        (producer(3600, 7200), ProducerState.QUIET),
        (producer(3600, None), ProducerState.QUIET),
        (producer(3600, 3600, spool_depth=3), ProducerState.QUIET),
    ],
)
def test_who_owes_something_and_is_not_heard_from_is_quiet(
    found: dict[str, Any], state: ProducerState
) -> None:
    assert state_of(found, NOW) is state


def test_a_service_adds_its_processes_up_and_stands_as_the_last_seen() -> None:
    found = [
        producer(200, None, lost={"shutdown": 2}, missing=1),
        producer(300, 300, "cron"),
        producer(600, 600, lost={"shutdown": 1, "buffer_full": 4}),
        producer(900, None, "cron"),
    ]
    billing, cron = by_service(found, NOW)
    assert (billing["state"], billing["processes"], billing["quiet"], billing["missing"]) == (
        "quiet",
        2,
        1,
        1,
    )
    assert billing["lost"] == "3 shutdown, 4 buffer_full"
    assert billing["last_seen_at"] == found[0]["last_seen_at"]
    assert (cron["state"], cron["quiet"]) == ("settled", 1)
    alive = producer(5, 5)
    assert next(by_service([alive, *found], NOW))["state"] == "reports"


def test_all_pages_are_added_up(stub: ApiStub, capsys: pytest.CaptureFixture[str]) -> None:
    def page(query: dict[str, list[str]]) -> dict[str, Any]:
        number = int(query.get("cursor", ["0"])[0])
        rows = [producer(number * 10 + one, None) for one in range(3)]
        return {"producers": rows, "next_cursor": str(number + 1) if number < 4 else None}

    stub.answer("producers", page)
    assert run(["producers", "list", "--service", "billing"]) == 0
    head, row = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert dict(zip(head, row, strict=True))["processes"] == "15"
    assert all(asked["service"] == ["billing"] for asked in stub.queries("producers"))
