"""The oracle finds what it is there to find: a referee that never blows the whistle proves nothing."""

from pathlib import Path

import pytest
from tests.tools.oracle import Entry, Kept, audit, read_ledgers

LEDGER = [Entry("a", "confirmed", 1.0), Entry("b", "spooled", 1.0), Entry("c", "refused", 1.0)]


def kept(stored: str = "", dead: str = "", **fields: object) -> Kept:
    sums = {"events": len(stored), "incidents": len(stored), "hourly": len(stored)}
    return Kept(stored=list(stored), dead=list(dead), **({"counts": sums} | fields))  # type: ignore[arg-type]  # fields by name


@pytest.mark.parametrize(
    "found",
    [kept("ab"), kept("a", "b"), kept("abc"), kept("a", spooled=["b"]), kept("ab", spooled=["b"])],
    ids=["stored", "dead letter", "refused but stored", "spooled", "stored and still spooled"],
)
def test_what_is_accounted_for_is_no_fault(found: Kept) -> None:
    assert audit(LEDGER, found).faults() == []


@pytest.mark.parametrize(
    ("found", "fault"),
    [
        (kept("a"), "1 accepted and lost: b"),
        (kept("aab"), "1 kept twice: a"),
        (kept("ab", "b"), "1 kept twice: b"),
        (kept("abz"), "1 kept and never emitted: z"),
        (kept("ab", queued=3), "3 messages left in queues"),
        (kept("ab", counts={"events": 2, "incidents": 3, "hourly": 2}), "the sums of count differ"),
    ],
)
def test_each_broken_promise_is_told(found: Kept, fault: str) -> None:
    report = audit(LEDGER, found)
    assert any(told.startswith(fault) for told in report.faults()), report
    assert f"FAULT: {fault}" in str(report)


def test_a_killed_producers_last_events_may_stand_in_no_ledger_and_no_more_than_those() -> None:
    assert audit(LEDGER, kept("abyz"), unwritten=2).faults() == []
    assert audit(LEDGER, kept("abxyz"), unwritten=2).faults() == ["1 kept and never emitted: z"]


def test_the_accounting_says_where_everything_is() -> None:
    found = audit(LEDGER, kept("a", "b"))
    assert (found.emitted, found.stored, found.dead, found.given_up, found.difference) == (3, 1, 1, 1, 0)
    assert "emitted 3 (1 confirmed, 1 refused, 1 spooled)" in str(found)


def test_a_ledgers_last_line_counts_only_when_it_was_finished(tmp_path: Path) -> None:
    (tmp_path / "ledger-one").write_text("a confirmed 1.000\nb confi")
    assert read_ledgers(tmp_path) == [Entry("a", "confirmed", 1.0)]
