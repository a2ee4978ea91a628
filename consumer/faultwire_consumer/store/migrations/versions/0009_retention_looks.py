"""Creates the day of retention's last look, by which a clock that jumped is told from time that passed.

Frozen: later changes get migrations of their own, whatever ``store/schema`` says by then.
"""

import sqlalchemy as sa
from alembic import op

from faultwire_consumer.store.schema.events import SCHEMA

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """It is empty at first: the newest event then says what day it was."""
    schema = None if op.get_bind().dialect.name == "sqlite" else SCHEMA
    op.create_table(
        "retention_looks",
        sa.Column("name", sa.Text, primary_key=True, comment="of the chore; there is one"),
        sa.Column(
            "day",
            sa.Date,
            nullable=False,
            comment="by which it went last: the clocks agreed on it, or an operator",
        ),
        schema=schema,
        comment="a clock that is far ahead of the last look deletes nothing by itself",
    )


def downgrade() -> None:
    """Refuse: without it, a clock that is ahead could empty the database."""
    raise NotImplementedError("a database is restored from its backup, not taken back a version")
