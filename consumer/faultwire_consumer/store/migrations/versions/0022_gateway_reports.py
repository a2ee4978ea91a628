"""Adds what the gateway reports of SDKs: that it does, events without numbers, and what is not stored.

Frozen: later changes get migrations of their own, whatever ``store/schema`` says by then.
"""

import sqlalchemy as sa
from alembic import op

from faultwire_consumer.store.schema.events import SCHEMA

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """What stands reports itself, and numbers its events; no row is written."""
    schema = None if op.get_bind().dialect.name == "sqlite" else SCHEMA
    for column in (
        sa.Column("via", sa.Text, comment="the program that reports in its place; none: it reports itself"),
        sa.Column(
            "unnumbered",
            sa.BigInteger,
            nullable=False,
            server_default="0",
            comment="events that came without a number, by its reports",
        ),
        sa.Column(
            "dropped",
            sa.Text,
            nullable=False,
            server_default="{}",
            comment="items that are no events by kind, by its reports; JSON",
        ),
    ):
        op.add_column("producers", column, schema=schema)


def downgrade() -> None:
    """Refuse, as every migration of ours does."""
    raise NotImplementedError("a database is restored from its backup, not taken back a version")
