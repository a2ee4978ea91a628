"""Creates silences with what they hid, and lets notifications say what they are matched with.

Frozen: later changes get migrations of their own, whatever ``store/schema`` says by then.
"""

import sqlalchemy as sa
from alembic import op

from faultwire_consumer.store.schema.events import SCHEMA, UtcDateTime

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """The outbox's new columns may be empty, so no row is written."""
    schema = None if op.get_bind().dialect.name == "sqlite" else SCHEMA
    _create_silences(schema)
    for column in _outbox_columns():
        op.add_column("outbox", column, schema=schema)
    has_one = sa.text("silence_id IS NOT NULL")
    op.create_index(
        "ix_outbox_silence_id",
        "outbox",
        ["silence_id"],
        schema=schema,
        postgresql_where=has_one,
        sqlite_where=has_one,
    )


def _create_silences(schema: str | None) -> None:
    identity = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "silences",
        sa.Column("id", identity, primary_key=True, autoincrement=True),
        sa.Column("matchers", sa.Text, nullable=False, comment="JSON"),
        sa.Column(
            "weekly", sa.Text, nullable=False, comment="JSON: its windows; an empty array: all the time"
        ),
        sa.Column("starts_at", UtcDateTime, nullable=False),
        sa.Column("ends_at", UtcDateTime, nullable=False),
        sa.Column("also_critical", sa.Boolean, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("comment", sa.Text, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("ended_at", UtcDateTime, comment="when somebody ended it"),
        sa.Column("ended_by", sa.Text),
        sa.Column(
            "hits", sa.BigInteger, nullable=False, comment="notifications that it stopped or held back"
        ),
        sa.Column("last_hit_at", UtcDateTime),
        schema=schema,
        comment="notifications that nobody is to get for a time",
    )
    op.create_index("ix_silences_ends_at", "silences", ["ends_at"], schema=schema)
    op.create_table(
        "silence_hits",
        sa.Column("silence_id", sa.BigInteger, primary_key=True),
        sa.Column(
            "incident_id",
            sa.BigInteger,
            primary_key=True,
            comment="0: all beyond those that are counted apart",
        ),
        sa.Column("notifications", sa.BigInteger, nullable=False),
        sa.Column("first_at", UtcDateTime, nullable=False),
        sa.Column("last_at", UtcDateTime, nullable=False),
        schema=schema,
        comment="what each silence hid, by incident",
    )
    op.create_table(
        "silence_history",
        sa.Column("id", identity, primary_key=True, autoincrement=True),
        sa.Column("silence_id", sa.BigInteger, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("action", sa.Text, nullable=False, comment="created, ended or resumed"),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        schema=schema,
        comment="append-only: what was done to a silence",
    )
    op.create_index("ix_silence_history_silence_id", "silence_history", ["silence_id"], schema=schema)


def _outbox_columns() -> tuple[sa.Column[object], ...]:
    return (
        sa.Column(
            "facts",
            sa.Text,
            comment="JSON: what silences are matched with; none: a digest, or of an older release",
        ),
        sa.Column("count_before", sa.BigInteger, comment="the incident's count before what it tells"),
        sa.Column("silence_id", sa.BigInteger, comment="that stopped it, or holds it back"),
        sa.Column(
            "resent_at", UtcDateTime, comment="since an operator had it sent again; no stage looks at it"
        ),
    )


def downgrade() -> None:
    """Refuse, as every migration of ours does."""
    raise NotImplementedError("a database is restored from its backup, not taken back a version")
