"""Adds what a DSN has beside what every token has: a public key, a project's number, and origins.

Frozen: later changes get migrations of their own, whatever ``store/schema`` says by then.
"""

import sqlalchemy as sa
from alembic import op

from faultwire_consumer.store.schema.events import SCHEMA

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """The columns may be empty, so no row is written; of keys that hold, each stands once."""
    schema = None if op.get_bind().dialect.name == "sqlite" else SCHEMA
    columns = (
        sa.Column(
            "public_key", sa.Text, comment="of a DSN, in its normal form; none: a token, which has a secret"
        ),
        sa.Column("project", sa.BigInteger, comment="of a DSN"),
        sa.Column(
            "origins", sa.Text, comment="of a DSN: a JSON array of patterns of pages; empty: all pages"
        ),
    )
    for column in columns:
        op.add_column("access_tokens", column, schema=schema)
    op.create_index(
        "ix_access_tokens_public_key",
        "access_tokens",
        ["public_key"],
        unique=True,
        schema=schema,
        postgresql_where=sa.text("revoked_at IS NULL"),
        sqlite_where=sa.text("revoked_at IS NULL"),
    )


def downgrade() -> None:
    """Refuse, as every migration of ours does."""
    raise NotImplementedError("a database is restored from its backup, not taken back a version")
