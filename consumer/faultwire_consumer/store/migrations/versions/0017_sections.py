"""Adds what the page's sections ask for: releases of regressions, producers' clients, and three indexes.

Frozen: later changes get migrations of their own, whatever ``store/schema`` says by then.
"""

import sqlalchemy as sa
from alembic import op

from faultwire_consumer.store.schema.events import SCHEMA

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Both columns may be empty, so no row is written; what stands has no release and no client."""
    schema = None if op.get_bind().dialect.name == "sqlite" else SCHEMA
    release = sa.Column("release", sa.Text, comment="of the event; none: it named none, or came earlier")
    sdk = sa.Column("sdk", sa.Text, comment="name and version of its client, by its own report")
    op.add_column("incident_history", release, schema=schema)
    op.add_column("producers", sdk, schema=schema)
    op.create_index(
        "ix_incident_history_regressed_release",
        "incident_history",
        ["release", "incident_id"],
        schema=schema,
        postgresql_where=sa.text("reason = 'regressed'"),
        sqlite_where=sa.text("reason = 'regressed'"),
    )
    op.create_index(
        "ix_outbox_given_up",
        "outbox",
        ["finished_at"],
        schema=schema,
        postgresql_where=sa.text("state = 'given_up'"),
        sqlite_where=sa.text("state = 'given_up'"),
    )
    columns = ["service", "first_seen_at"]
    op.create_index("ix_release_totals_service_first_seen_at", "release_totals", columns, schema=schema)
    op.create_index("ix_hourly_totals_service_hour", "hourly_totals", ["service", "hour"], schema=schema)


def downgrade() -> None:
    """Refuse, as every migration of ours does."""
    raise NotImplementedError("a database is restored from its backup, not taken back a version")
