"""A SQLite file with a current schema, made once and copied: a test need not run every migration."""

import asyncio
import atexit
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

from tests.tools.migrating import upgrade


def put_current_file(path: Path) -> str:
    """Put an empty database with the current schema there; its address."""
    return put_copy(_made_once(), path)


def put_copy(template: Path, path: Path) -> str:
    """Put a copy of a database there, as private as a worker makes one; its address."""
    shutil.copyfile(template, path)
    path.chmod(0o600)
    return f"sqlite:///{path}"


def folder_until_the_end(name: str) -> Path:
    """A new folder, which is removed when the interpreter ends."""
    folder = tempfile.mkdtemp(prefix=f"faultwire-{name}-{os.getpid()}-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


@cache
def _made_once() -> Path:
    path = folder_until_the_end("template") / "current.db"
    asyncio.run(upgrade(f"sqlite:///{path}"))
    return path
