"""Every log event is told in the list that operators read, with what to do about it."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.tools.log_lines import log_lines

from faultwire_shared.logging.log_events import LOG_CURES, LOG_EVENTS

CLIENT: Final = Path(__file__).parents[2] / "producer/faultwire"


def events() -> Iterator[str]:
    """The text under the key ``event`` wherever a mapping has one."""
    for path in CLIENT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Dict):
                for key, value in zip(node.keys, node.values, strict=True):
                    if isinstance(key, ast.Constant) and key.value == "event":
                        assert isinstance(value, ast.Constant), f"{path}: an event is named by a literal"
                        yield str(value.value)


def test_each_log_event_of_the_client_is_listed() -> None:
    found = set(events())
    assert len(found) > 10
    assert found <= set(LOG_EVENTS)


def test_each_log_event_of_the_worker_is_listed_and_written_somewhere() -> None:
    assert {line.event for line in log_lines()} == set(LOG_EVENTS)


def test_of_what_is_more_than_news_it_is_told_what_to_do() -> None:
    wanted = {line.event for line in log_lines() if line.level not in {"debug", "info"}}
    assert set(LOG_CURES) == wanted
