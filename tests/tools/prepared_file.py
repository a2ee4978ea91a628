"""A SQLite file with a current schema, made once and copied: a test need not run every migration."""

import asyncio
import shutil
import tempfile
from functools import cache
from pathlib import Path

from tests.tools.migrating import upgrade


def put_current_file(path: Path) -> str:
    """Put an empty database with the current schema there; its address."""
    shutil.copyfile(_made_once(), path)
    path.chmod(0o600)
    return f"sqlite:///{path}"


@cache
def _made_once() -> Path:
    path = Path(tempfile.mkdtemp(prefix="faultwire-sqlite-template-")) / "current.db"
    asyncio.run(upgrade(f"sqlite:///{path}"))
    return path
