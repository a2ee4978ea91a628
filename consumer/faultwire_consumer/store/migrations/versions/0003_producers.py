"""Creates producers, how far each has counted, and the numbers that are missing.

Frozen: later changes get migrations of their own, whatever ``store/schema`` says by then.
"""

import sqlalchemy as sa
from alembic import op

from faultwire_consumer.store.schema.events import SCHEMA, UtcDateTime

revision = "0003"
down_revision = "0002"

# Rows that change with every batch leave room in their page for the next version (HOT updates).
_HOT = {"fillfactor": 60}


def upgrade() -> None:
    """Producers seen before start at their highest number: what came before was never audited."""
    schema = None if op.get_bind().dialect.name == "sqlite" else SCHEMA
    identity = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    prefix = f"{schema}." if schema else ""
    producer_id = f"{prefix}producers.producer_id"

    op.create_table(
        "producers",
        sa.Column("producer_id", sa.Text, primary_key=True),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("first_seen_at", UtcDateTime, nullable=False),
        sa.Column("last_seen_at", UtcDateTime, nullable=False),
        sa.Column("last_report_at", UtcDateTime),
        sa.Column(
            "last_sequence", sa.BigInteger, nullable=False, comment="the highest number known to be given"
        ),
        sa.Column(
            "gaps", sa.Integer, nullable=False, comment="rows of it in sequence_gaps that an event may fill"
        ),
        sa.Column("spool_depth", sa.BigInteger, nullable=False, comment="by its last report"),
        schema=schema,
        comment="who numbers its events, and how far it has got",
        postgresql_with=_HOT,
    )
    op.create_table(
        "sequence_gaps",
        sa.Column("id", identity, primary_key=True, autoincrement=True),
        sa.Column(
            "producer_id",
            sa.Text,
            sa.ForeignKey(producer_id, name="fk_sequence_gaps_producer_id"),
            nullable=False,
        ),
        sa.Column("first", sa.BigInteger, nullable=False),
        sa.Column("last", sa.BigInteger, nullable=False),
        sa.Column("opened_at", UtcDateTime, nullable=False),
        sa.Column("closed_at", UtcDateTime),
        sa.Column("state", sa.Text, nullable=False, comment="open, reported or filled"),
        sa.Column("reason", sa.Text, comment="why the producer lost them, by its own report"),
        sa.Column(
            "event_id", sa.Text, comment="of the event that told of it, until its incident is resolved"
        ),
        schema=schema,
        comment="numbers that were given and did not arrive",
    )
    op.create_index("ix_sequence_gaps_producer_id", "sequence_gaps", ["producer_id"], schema=schema)
    op.create_index(
        "ix_sequence_gaps_state_opened_at", "sequence_gaps", ["state", "opened_at"], schema=schema
    )
    op.execute(
        f"INSERT INTO {prefix}producers (producer_id, service, host, first_seen_at, last_seen_at,"  # noqa: S608 - our own names
        " last_sequence, gaps, spool_depth)"
        " SELECT producer_id, max(service), '', min(received_at), max(received_at), max(sequence), 0, 0"
        f" FROM {prefix}events WHERE producer_id IS NOT NULL AND sequence > 0 GROUP BY producer_id"
    )


def downgrade() -> None:
    """Refuse: it would forget what is missing."""
    raise NotImplementedError("a database is restored from its backup, not taken back a version")
