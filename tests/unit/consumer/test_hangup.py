"""A hangup is a wish of an operator, or the end of the terminal that the worker was started from."""

import asyncio
import os

import pytest

from faultwire_consumer.worker.supervision.signal_handler import ask_or_end


@pytest.mark.parametrize(
    ("had", "has", "ends"),
    [(False, False, False), (True, True, False), (True, False, True)],
    ids=["no terminal", "it stands", "it went away"],
)
async def test_only_a_terminal_that_went_away_ends_a_worker(
    monkeypatch: pytest.MonkeyPatch, *, had: bool, has: bool, ends: bool
) -> None:
    monkeypatch.setattr(os, "isatty", lambda _: has)
    stop, asked = asyncio.Event(), asyncio.Event()
    ask_or_end(stop, asked, had_terminal=had)
    assert (stop.is_set(), asked.is_set()) == (ends, not ends)
