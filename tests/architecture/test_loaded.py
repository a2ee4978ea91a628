"""What a command may not have loaded: its start is CPU and memory that every worker and every call pays."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

_HELP: Final = """
import sys
sys.argv = ["faultwire", "--help"]
from faultwire_consumer.cli import main
try:
    main()
except SystemExit:
    pass
"""
_WORKER: Final = """
import asyncio
import faultwire_consumer.cli.worker
import faultwire_consumer.worker.start
from faultwire_consumer.config import load_config
from faultwire_consumer.worker.assembly import assemble
async def start():
    worker = await assemble(load_config())
    await worker.store.close()
"""
_ON_SQLITE: Final = f"{_WORKER}\nasyncio.run(start())"
_ON_POSTGRESQL: Final = f"{_WORKER}\nimport faultwire_consumer.store.postgresql.store"

_OF_WORKERS: Final = (
    "aiohttp",
    "asyncio",
    "faultwire_consumer.worker",
    "pydantic",
    "sqlalchemy",
    "structlog",
)
_OF_SOME: Final = (
    "aiosmtplib",  # a receiver by mail
    "apprise",  # a receiver by Apprise
    "faultwire_consumer.cli.incidents",  # another command
    "faultwire_consumer.demo",
    "faultwire_consumer.notify.senders.email",
    "google.protobuf",  # the first OTLP message
    "joserfc",  # a provider of OpenID Connect
    "markdown_it",  # a help page
    "mcp",  # a coding agent
    "opentelemetry",
    "pygments.lexers.python",  # the first page with source lines
)


def loaded_by(script: str, home: Path) -> set[str]:
    """Names of all modules that a fresh interpreter has after a script."""
    told = "\nimport json, sys\nprint('\\n' + json.dumps(sorted(sys.modules)))"
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(home), "XDG_STATE_HOME": str(home)}
    command = [sys.executable, "-c", script + told]
    output = subprocess.run(
        command, cwd=home, env=environment, capture_output=True, text=True, check=True, timeout=90
    )
    return set(json.loads(output.stdout.splitlines()[-1]))


@pytest.mark.may_block("asks a fresh interpreter")
def test_the_help_of_the_whole_command_loads_nothing_of_a_worker_and_no_markdown(tmp_path: Path) -> None:
    loaded = loaded_by(_HELP, tmp_path)
    assert [name for name in (*_OF_WORKERS, *_OF_SOME) if name in loaded] == []


@pytest.mark.may_block("asks a fresh interpreter")
def test_a_worker_on_sqlite_loads_no_driver_of_postgresql_and_nothing_that_its_settings_do_not_ask_for(
    tmp_path: Path,
) -> None:
    loaded_by(_ON_SQLITE, tmp_path)  # makes the file, by Alembic
    loaded = loaded_by(_ON_SQLITE, tmp_path)
    heavy = ("alembic", "asyncpg", "faultwire_consumer.store.postgresql.store", "mako", *_OF_SOME)
    assert [name for name in heavy if name in loaded] == []


@pytest.mark.may_block("asks a fresh interpreter")
def test_a_worker_on_postgresql_loads_no_driver_of_sqlite_and_nothing_that_its_settings_do_not_ask_for(
    tmp_path: Path,
) -> None:
    loaded = loaded_by(_ON_POSTGRESQL, tmp_path)
    heavy = ("aiosqlite", "alembic", "faultwire_consumer.store.sqlite.store", "mako", *_OF_SOME)
    assert [name for name in heavy if name in loaded] == []
