"""Creates the chores' leases, and the days from which events are kept.

Frozen: later changes get migrations of their own, whatever ``store/schema`` says by then.
"""

import sqlalchemy as sa
from alembic import op

from faultwire_consumer.store.schema.events import SCHEMA, UtcDateTime

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Nothing is dropped by it: the first floors are raised where the first days go."""
    schema = None if op.get_bind().dialect.name == "sqlite" else SCHEMA
    op.create_table(
        "leases",
        sa.Column("name", sa.Text, primary_key=True, comment="the chore"),
        sa.Column("holder", sa.Text, nullable=False, comment="the worker, by host, process and chance"),
        sa.Column("token", sa.BigInteger, nullable=False, comment="one more for each holder"),
        sa.Column("expires_at", UtcDateTime, nullable=False),
        schema=schema,
        comment="chores that one worker does for all",
    )
    op.create_table(
        "retention_floors",
        sa.Column("severity", sa.SmallInteger, primary_key=True, comment="1 low to 4 critical"),
        sa.Column("day", sa.Date, nullable=False, comment="the oldest that is kept; never goes back"),
        sa.Column("cleared_to", sa.Date, comment="what is older than this is really gone"),
        sa.Column("raised_at", UtcDateTime, nullable=False),
        schema=schema,
        comment="an event of an older day may have been counted, and is not taken in again",
    )


def downgrade() -> None:
    """Refuse: without the floors, what comes again would be counted again."""
    raise NotImplementedError("a database is restored from its backup, not taken back a version")
