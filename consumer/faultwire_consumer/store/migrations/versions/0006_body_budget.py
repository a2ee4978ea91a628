"""Adds an incident's number of bodies, and the bodies of its first and last event next to it.

Frozen: later changes get migrations of their own, whatever ``store/schema`` says by then.
"""

import sqlalchemy as sa
from alembic import op

from faultwire_consumer.store.schema.events import SCHEMA, UtcDateTime

revision = "0006"
down_revision = "0005"

# Rewritten with nearly every batch of a flood: there is to be room in the page for the next version.
_HOT = {"fillfactor": 50}


def upgrade() -> None:
    """Every event that is stored has its body: they are counted once."""
    schema = None if op.get_bind().dialect.name == "sqlite" else SCHEMA
    for column in (
        sa.Column(
            "bodies", sa.Integer, nullable=False, server_default="0", comment="its events that have one"
        ),
        sa.Column("body_kept_at", UtcDateTime, comment="when the newest of them occurred"),
    ):
        op.add_column("incidents", column, schema=schema)
    op.create_table(
        "edge_bodies",
        sa.Column("fingerprint", sa.LargeBinary, primary_key=True),
        sa.Column("edge", sa.Text, primary_key=True, comment="first or last"),
        sa.Column("occurred_day", sa.Date, nullable=False),
        sa.Column("event_id", sa.Text, nullable=False),
        sa.Column("occurred_at", UtcDateTime, nullable=False),
        sa.Column("doc_codec", sa.SmallInteger, nullable=False),
        sa.Column("doc", sa.LargeBinary, nullable=False),
        schema=schema,
        comment="of the first and the last event, where the incident's budget kept no body with them",
        postgresql_with=_HOT,
    )
    prefix = f"{schema}." if schema else ""
    op.execute(
        f"UPDATE {prefix}incidents SET bodies = found.bodies, body_kept_at = found.kept_at "  # noqa: S608 - the schema's name is ours
        f"FROM (SELECT f.incident_id, count(*) AS bodies, max(e.occurred_at) AS kept_at "
        f"FROM {prefix}events e JOIN {prefix}fingerprints f ON f.fingerprint = e.fingerprint "
        f"WHERE e.doc IS NOT NULL GROUP BY f.incident_id) AS found WHERE found.incident_id = incidents.id"
    )
    if schema:
        # Inline as long as the row fits a page: out of line, each version would be vacuum's to remove.
        op.execute(f"ALTER TABLE {schema}.edge_bodies SET (toast_tuple_target = 8160)")
        op.execute(
            f"DO $$ BEGIN ALTER TABLE {schema}.edge_bodies ALTER COLUMN doc SET COMPRESSION lz4; "
            "EXCEPTION WHEN feature_not_supported THEN NULL; END $$"
        )


def downgrade() -> None:
    """Refuse: it would forget bodies."""
    raise NotImplementedError("a database is restored from its backup, not taken back a version")
