"""Adds what a notification's receiver asks for beside its rule, and the services that rules watch.

Frozen: later changes get migrations of their own, whatever ``store/schema`` says by then.
"""

import sqlalchemy as sa
from alembic import op

from faultwire_consumer.store.schema.events import SCHEMA, UtcDateTime

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """The column may be empty, so no row is written; what was told before has no recovery notice."""
    schema = None if op.get_bind().dialect.name == "sqlite" else SCHEMA
    comment = "reasons that its receiver asks for beside the rule's; none for none"
    op.add_column("outbox", sa.Column("hears", sa.Text, comment=comment), schema=schema)
    op.create_table(
        "absences",
        sa.Column("rule", sa.Text, primary_key=True),
        sa.Column("service", sa.Text, primary_key=True),
        sa.Column("since", UtcDateTime, nullable=False, comment="from when its silence counts"),
        sa.Column("checked_at", UtcDateTime, nullable=False),
        sa.Column("event_id", sa.Text, comment="of the event that told of it, until it comes back"),
        schema=schema,
        comment="services that rules of absence watch",
    )


def downgrade() -> None:
    """Refuse, as every migration of ours does."""
    raise NotImplementedError("a database is restored from its backup, not taken back a version")
