"""Adds what digests keep of their making: their content, the period before, and each incident's section.

Frozen: later changes get migrations of their own, whatever ``store/schema`` says by then.
"""

import sqlalchemy as sa
from alembic import op

from faultwire_consumer.store.schema.events import SCHEMA

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """The new columns may be empty or have a default, so no row is written."""
    schema = None if op.get_bind().dialect.name == "sqlite" else SCHEMA
    op.create_table(
        "digests",
        sa.Column("outbox_id", sa.BigInteger, primary_key=True),
        sa.Column(
            "body", sa.Text, nullable=False, comment="JSON: all that it says, see domain/digest/facts.py"
        ),
        schema=schema,
        comment="digests as they were computed when they were made, in the transaction of that",
    )
    events_before = sa.Column("events_before", sa.BigInteger, comment="in the period before; none: not known")
    section = sa.Column("section", sa.Text, comment="in which it is told; none: of an older release")
    is_taken = sa.Column(
        "is_taken",
        sa.Boolean,
        nullable=False,
        server_default=sa.false(),
        comment="by the transaction that makes its digest, and no other ever sees it",
    )
    op.add_column("digest_lines", events_before, schema=schema)
    op.add_column("digest_lines", section, schema=schema)
    op.add_column("pending", is_taken, schema=schema)
    is_resolved = sa.text("resolved_at IS NOT NULL")
    op.create_index(
        "ix_incidents_resolved_at",
        "incidents",
        ["resolved_at"],
        schema=schema,
        postgresql_where=is_resolved,
        sqlite_where=is_resolved,
    )


def downgrade() -> None:
    """Refuse, as every migration of ours does."""
    raise NotImplementedError("a database is restored from its backup, not taken back a version")
