"""``faultwire db roles``: the SQL that keeps PostgreSQL's roles apart."""

import sys


def roles() -> None:
    """Print the SQL by which PostgreSQL's tables have an owner that no worker is; change nothing.

    Roles for the owner, workers, readers and backups. A superuser runs it in faultwire's database.

    Example: `faultwire db roles`
    """
    from faultwire_consumer.store.postgresql.roles import read_roles  # noqa: PLC0415 - no help reads it

    sys.stdout.write(read_roles())
