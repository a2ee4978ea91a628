"""Adds the dictionaries that bodies are packed with; bodies that stand stay as they are.

Frozen: later changes get migrations of their own, whatever ``store/schema`` says by then.
"""

import sqlalchemy as sa
from alembic import op

from faultwire_consumer.store.schema.events import SCHEMA, UtcDateTime

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    """A table of its own, and a comment: nothing is locked that anybody writes to."""
    schema = None if op.get_bind().dialect.name == "sqlite" else SCHEMA
    op.create_table(
        "body_dictionaries",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False, comment="as frames name it"),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("samples", sa.Integer, nullable=False, comment="the bodies that it was made of"),
        sa.Column("content", sa.LargeBinary, nullable=False),
        schema=schema,
        comment="what packed bodies have in common; kept for as long as any may need it, the newest packs",
    )
    if schema is not None:
        op.execute(f"COMMENT ON COLUMN {schema}.events.doc_codec IS '0: JSON as it came, 1: a zstd frame'")


def downgrade() -> None:
    """Refuse, as every migration of ours does."""
    raise NotImplementedError("a database is restored from its backup, not taken back a version")
