"""Adds a status to dead letters, and a history of what operators did to them.

Frozen: later changes get migrations of their own, whatever ``store/schema`` says by then.
"""

import sqlalchemy as sa
from alembic import op

from faultwire_consumer.store.schema.events import SCHEMA, UtcDateTime

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """What stands in the table waits: nobody could do anything about it before."""
    schema = None if op.get_bind().dialect.name == "sqlite" else SCHEMA
    identity = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    letter_id = f"{schema}.dead_letters.id" if schema else "dead_letters.id"

    op.add_column(
        "dead_letters",
        sa.Column(
            "status",
            sa.Text,
            nullable=False,
            server_default="waiting",
            comment="waiting, replayed or discarded",
        ),
        schema=schema,
    )
    op.create_index("ix_dead_letters_status_id", "dead_letters", ["status", "id"], schema=schema)
    op.create_table(
        "dead_letter_history",
        sa.Column("id", identity, primary_key=True, autoincrement=True),
        sa.Column(
            "dead_letter_id",
            sa.BigInteger,
            sa.ForeignKey(letter_id, name="fk_dead_letter_history_dead_letter_id"),
            nullable=False,
        ),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column(
            "reason", sa.Text, nullable=False, comment="replayed, replay_failed, discarded or came_again"
        ),
        sa.Column("detail", sa.Text, nullable=False, comment="what came of it, or the operator's why"),
        sa.Column("before", sa.Text, nullable=False),
        sa.Column("after", sa.Text, nullable=False),
        schema=schema,
        comment="append-only: what was done to a dead letter",
    )
    op.create_index(
        "ix_dead_letter_history_dead_letter_id", "dead_letter_history", ["dead_letter_id"], schema=schema
    )


def downgrade() -> None:
    """Refuse: it would forget which dead letters are done with."""
    raise NotImplementedError("a database is restored from its backup, not taken back a version")
