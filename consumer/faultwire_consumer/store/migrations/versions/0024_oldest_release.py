"""Adds the oldest schema whose release may still run here: a release can be put back, or restart meanwhile.

Frozen: later changes get migrations of their own, whatever ``store/schema`` says by then.
"""

import sqlalchemy as sa
from alembic import op

from faultwire_consumer.store.schema.events import SCHEMA

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """The column is empty until the upgrade as a whole is through, which states it."""
    schema = None if op.get_bind().dialect.name == "sqlite" else SCHEMA
    comment = "the schema of the oldest release that may run here; none: the newest alone"
    op.add_column("schema_version", sa.Column("oldest", sa.String(32), comment=comment), schema=schema)


def downgrade() -> None:
    """Refuse, as every migration of ours does."""
    raise NotImplementedError("a database is restored from its backup, not taken back a version")
