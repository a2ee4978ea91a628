"""Adds the losses that producers report, and the number of missing numbers that are not followed.

Frozen: later changes get migrations of their own, whatever ``store/schema`` says by then.
"""

import sqlalchemy as sa
from alembic import op

from faultwire_consumer.store.schema.events import SCHEMA, UtcDateTime

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Reports that came before are forgotten; the next ones say it again."""
    schema = None if op.get_bind().dialect.name == "sqlite" else SCHEMA
    for column in (
        sa.Column("started_at", UtcDateTime, comment="by its own report"),
        sa.Column(
            "lost",
            sa.Text,
            nullable=False,
            server_default="{}",
            comment="events by reason, by its reports; JSON",
        ),
        sa.Column(
            "unfollowed",
            sa.BigInteger,
            nullable=False,
            server_default="0",
            comment="missing numbers beyond the gaps that are kept of one producer",
        ),
    ):
        op.add_column("producers", column, schema=schema)
    op.create_index("ix_producers_last_seen_at", "producers", ["last_seen_at", "producer_id"], schema=schema)


def downgrade() -> None:
    """Refuse: it would forget what producers lost."""
    raise NotImplementedError("a database is restored from its backup, not taken back a version")
