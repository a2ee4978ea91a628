"""Creates the figures of incidents: users, releases, values of tags, totals, urgency and growth.

Frozen: later changes get migrations of their own, whatever ``store/schema`` says by then.

No table is rewritten: the columns have constant defaults, and a worker fills them in afterwards. The indexes
are made over columns that hold one value in every row, of a table that has a row for each bug.
"""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from faultwire_consumer.store.schema.events import SCHEMA, UtcDateTime, to_micros

revision = "0014"
down_revision = "0013"

# Rows that change while events come leave room in their page for the next version (HOT updates).
_HOT = {"fillfactor": 60}
_ORDERS = {
    "ix_incidents_urgency_last_seen_hour": ["urgency", "last_seen_hour"],
    "ix_incidents_began_at": ["began_at", "id"],
    "ix_incidents_growth": ["growth", "id"],
    "ix_incidents_users": ["users", "id"],
    "ix_incidents_count_class": ["count_class"],
}


def upgrade() -> None:
    """What was counted before has no figures, and says so."""
    schema = None if op.get_bind().dialect.name == "sqlite" else SCHEMA
    _create_tables(schema)
    for column in _incident_columns():
        op.add_column("incidents", column, schema=schema)
    for name, columns in _ORDERS.items():
        op.create_index(name, "incidents", columns, schema=schema)
    op.create_index(
        "ix_incidents_is_new",
        "incidents",
        ["began_at"],
        schema=schema,
        postgresql_where=sa.text("is_new"),
        sqlite_where=sa.text("is_new = 1"),
    )
    _mark_what_stands(schema)


def _create_tables(schema: str | None) -> None:
    identity = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "figure_journal",
        sa.Column("id", identity, primary_key=True, autoincrement=True),
        sa.Column("body", sa.LargeBinary, nullable=False, comment="a batch's tally"),
        schema=schema,
        comment="what batches add to the figures, until that is added: written with their events",
    )
    op.create_table(
        "value_counts",
        sa.Column("fingerprint", sa.LargeBinary, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True, comment="release, environment, host or tag.<name>"),
        sa.Column(
            "value", sa.Text, primary_key=True, comment="empty: all beyond the values that are counted"
        ),
        sa.Column("first_seen_at", UtcDateTime, nullable=False),
        sa.Column("last_seen_at", UtcDateTime, nullable=False),
        sa.Column("count", sa.BigInteger, nullable=False),
        schema=schema,
        comment="how many of a fingerprint's events have a value, for a bounded number of values",
        postgresql_with=_HOT,
    )
    op.create_table(
        "user_sketches",
        sa.Column("fingerprint", sa.LargeBinary, primary_key=True),
        sa.Column("body", sa.LargeBinary, nullable=False, comment="hashes or registers"),
        schema=schema,
        comment="how many users a fingerprint's events have",
    )
    op.create_table(
        "hourly_totals",
        sa.Column("hour", UtcDateTime, primary_key=True),
        sa.Column("service", sa.Text, primary_key=True),
        sa.Column("severity", sa.SmallInteger, primary_key=True, comment="the events' own"),
        sa.Column("count", sa.BigInteger, nullable=False),
        schema=schema,
        postgresql_with=_HOT,
    )
    op.create_table(
        "release_totals",
        sa.Column("service", sa.Text, primary_key=True),
        sa.Column("release", sa.Text, primary_key=True),
        sa.Column("first_seen_at", UtcDateTime, nullable=False),
        sa.Column("last_seen_at", UtcDateTime, nullable=False),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.Column(
            "new_incidents", sa.Integer, nullable=False, comment="whose first event was of this release"
        ),
        sa.Column("regressed", sa.Integer, nullable=False, comment="times that an incident came back in it"),
        schema=schema,
        postgresql_with=_HOT,
    )
    op.create_index("ix_release_totals_first_seen_at", "release_totals", ["first_seen_at"], schema=schema)


def _incident_columns() -> list[sa.Column[object]]:
    return [
        sa.Column("urgency", sa.SmallInteger, nullable=False, server_default="0"),
        sa.Column(
            "growth",
            sa.Integer,
            nullable=False,
            server_default="0",
            comment="in percent; 0: nothing to say",
        ),
        sa.Column("is_new", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column(
            "began_at", UtcDateTime, comment="a copy of first_seen_at that is indexed; none: no figures yet"
        ),
        sa.Column(
            "count_class",
            sa.SmallInteger,
            nullable=False,
            server_default="0",
            comment="rises with the count",
        ),
        sa.Column("users", sa.Integer, nullable=False, server_default="0"),
        sa.Column("users_exact", sa.Boolean, nullable=False, server_default=sa.true()),
        sa.Column("counted_episode", sa.Integer, comment="the episode that release_totals know of"),
    ]


def _mark_what_stands(schema: str | None) -> None:
    """Say of each fingerprint that has events since when they are counted; a default says it of every row."""
    now = datetime.now(UTC)
    if schema is None:
        op.add_column("fingerprints", sa.Column("counted_since", UtcDateTime))
        op.execute(f"UPDATE fingerprints SET counted_since = {to_micros(now)}")  # noqa: S608 - a number
    else:
        column = sa.Column(
            "counted_since",
            UtcDateTime,
            server_default=sa.text(f"'{now.isoformat()}'"),
            comment="of what has events before: since when it has figures",
        )
        op.add_column("fingerprints", column, schema=schema)
        op.alter_column("fingerprints", "counted_since", server_default=None, schema=schema)
    op.create_index(
        "ix_fingerprints_counted_since",
        "fingerprints",
        ["counted_since"],
        schema=schema,
        postgresql_where=sa.text("counted_since IS NOT NULL"),
        sqlite_where=sa.text("counted_since IS NOT NULL"),
    )


def downgrade() -> None:
    """Refuse: it would forget figures that nothing can count again."""
    raise NotImplementedError("a database is restored from its backup, not taken back a version")
