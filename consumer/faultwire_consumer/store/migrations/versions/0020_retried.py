"""Adds an index of notifications that were attempted again, which count towards what a receiver gets.

Frozen: later changes get migrations of their own, whatever ``store/schema`` says by then.
"""

import sqlalchemy as sa
from alembic import op

from faultwire_consumer.store.schema.events import SCHEMA

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Index the few of them; no row is written."""
    op.create_index(
        "ix_outbox_retried",
        "outbox",
        ["receiver", "finished_at"],
        schema=None if op.get_bind().dialect.name == "sqlite" else SCHEMA,
        postgresql_where=sa.text("carrier_id IS NULL AND attempts > 1"),
        sqlite_where=sa.text("carrier_id IS NULL AND attempts > 1"),
    )


def downgrade() -> None:
    """Refuse, as every migration of ours does."""
    raise NotImplementedError("a database is restored from its backup, not taken back a version")
