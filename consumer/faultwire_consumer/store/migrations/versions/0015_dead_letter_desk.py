"""Adds the service that a dead letter names, and the body by which an operator corrected it.

Frozen: later changes get migrations of their own, whatever ``store/schema`` says by then.
"""

import sqlalchemy as sa
from alembic import op

from faultwire_consumer.store.schema.events import SCHEMA

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Both columns may be empty, so no row is written; in older letters services are searched for."""
    schema = None if op.get_bind().dialect.name == "sqlite" else SCHEMA
    columns = (
        sa.Column("service", sa.Text, comment="that its body names, or empty; none: kept before this column"),
        sa.Column("edited_body", sa.LargeBinary, comment="as an operator corrected it, to be replayed"),
    )
    for column in columns:
        op.add_column("dead_letters", column, schema=schema)


def downgrade() -> None:
    """Refuse, as every migration of ours does."""
    raise NotImplementedError("a database is restored from its backup, not taken back a version")
