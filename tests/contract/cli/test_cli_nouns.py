"""The command line's nouns, each loaded by its name when it is asked for."""

import subprocess
import sys
from pathlib import Path

import pytest
from cyclopts import App

from faultwire_consumer import cli
from faultwire_consumer.cli.application import _NOUNS, app, run

pytestmark = pytest.mark.may_block("loads modules")


@pytest.mark.parametrize("noun", _NOUNS)
def test_every_noun_stands_and_has_the_help_that_the_list_shows(
    noun: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = app[noun]
    assert isinstance(found, App)
    assert found.help == _NOUNS[noun]
    assert run([noun, "--help"]) == 0
    assert f"Usage: faultwire {noun}" in capsys.readouterr().out


def test_no_module_s_noun_is_forgotten() -> None:
    modules = Path(cli.__path__[0]).glob("*.py")
    nouns = {path.stem for path in modules if "\napp = App(" in path.read_text()} - {"application"}
    assert nouns == {noun.replace("-", "_") for noun in _NOUNS}


def loaded_by(helps: list[list[str]], modules: list[str]) -> list[str]:
    """Which of the modules a new process loads that prints these helps."""
    script = f"""
import sys
from faultwire_consumer.cli.application import run
for words in {helps!r}:
    assert run([*words, "--help"]) == 0
print(*(name for name in {modules!r} if name in sys.modules), file=sys.stderr)
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return ended.stderr.split()


def test_the_list_of_nouns_loads_none_of_them() -> None:
    nouns = [f"faultwire_consumer.cli.{noun.replace('-', '_')}" for noun in _NOUNS]
    assert loaded_by([[]], ["asyncio", "urllib.request", "faultwire", *nouns]) == []


def test_no_help_loads_what_only_a_command_needs_when_it_runs() -> None:
    heavy = ["pydantic", "sqlalchemy", "alembic", "aiohttp", "aio_pika", "uvloop"]
    helps = [[noun] for noun in _NOUNS] + [["db", "prune"], ["db", "copy"], ["events", "import"]]
    assert loaded_by(helps, heavy) == []
