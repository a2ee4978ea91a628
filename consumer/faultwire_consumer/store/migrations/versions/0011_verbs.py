"""Adds what operators' verbs leave: who has an incident, mutes, releases, merges, notes.

Frozen: later changes get migrations of their own, whatever ``store/schema`` says by then.
"""

import sqlalchemy as sa
from alembic import op

from faultwire_consumer.store.schema.events import SCHEMA, UtcDateTime

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Every column may be empty or has a constant: no row is written, however many there are."""
    schema = None if op.get_bind().dialect.name == "sqlite" else SCHEMA
    for column in (
        sa.Column(
            "version",
            sa.Integer,
            nullable=False,
            server_default="1",
            comment="one more with each transition",
        ),
        sa.Column("assignee", sa.Text, comment="who has it: an account, or any name"),
        sa.Column("muted_at", UtcDateTime, comment="since when, while it is muted"),
        sa.Column(
            "terms",
            sa.Text,
            comment="JSON: what ends its mute or acknowledgement, what its resolve holds for",
        ),
        sa.Column(
            "merged_into",
            sa.BigInteger,
            comment="the incident that has its fingerprints; its own count is 0",
        ),
        sa.Column("merged_count", sa.BigInteger, comment="its count when it was merged"),
        sa.Column(
            "moves",
            sa.Integer,
            nullable=False,
            server_default="0",
            comment="how often fingerprints came or went",
        ),
    ):
        op.add_column("incidents", column, schema=schema)
    for column in (
        sa.Column(
            "home_id",
            sa.BigInteger,
            comment="the incident that it was merged away with, and goes back to",
        ),
        sa.Column("pinned_at", UtcDateTime, comment="when it was unmerged: no machine ever moves it again"),
    ):
        op.add_column("fingerprints", column, schema=schema)
    for column in (
        sa.Column("detail", sa.Text, comment="what exactly, in words"),
        sa.Column("note", sa.Text, comment="the operator's own words"),
    ):
        op.add_column("incident_history", column, schema=schema)


def downgrade() -> None:
    """Refuse: without what was merged, incidents that were hidden would stay so."""
    raise NotImplementedError("a database is restored from its backup, not taken back a version")
