"""A private PgBouncer in front of a test's database."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from tests.servers.postgresql import ACCOUNT, PostgreSQL
from tests.servers.process import ServerProcess, reserve_port, run_status, temporary_home

PROGRAM: Final = "/usr/sbin/pgbouncer"
_SETTINGS: Final = """
[databases]
* = host=127.0.0.1 port={server}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {users}
pool_mode = {mode}
{more}
"""


def is_installed() -> bool:
    return Path(PROGRAM).exists()


@contextmanager
def pooled(database: PostgreSQL, *, mode: str, more: str = "") -> Iterator[str]:
    """The database's address through a pooler in that ``pool_mode``."""
    port = reserve_port()
    with temporary_home("pgbouncer") as home:
        users, settings = home / "users", home / "pgbouncer.ini"
        users.write_text('"faultwire" "faultwire"\n')
        text = _SETTINGS.format(server=database.port, port=port, users=users, mode=mode, more=more)
        settings.write_text(text)
        account = ACCOUNT if os.geteuid() == 0 else None
        if account is not None:
            for path in (home, users, settings):
                shutil.chown(path, account, account)
        process = ServerProcess([PROGRAM, str(settings)], dict(os.environ), home / "log", account=account)
        try:
            answers = ["pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
            process.wait_until(partial(run_status, answers, dict(os.environ)), "PgBouncer answers")
            yield database.url_through(port)
        finally:
            process.end()
