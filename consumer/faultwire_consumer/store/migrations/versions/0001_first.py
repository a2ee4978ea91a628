"""Creates events by day, their fingerprints and incidents, counters, history and dead letters."""

import sqlalchemy as sa
from alembic import op

from faultwire_consumer.store.schema.events import SCHEMA, UtcDateTime

revision = "0001"
down_revision = None

# Rows that change with every batch leave room in their page for the next version (HOT updates).
_HOT = {"fillfactor": 60}


def upgrade() -> None:
    """Create everything."""
    schema = None if op.get_bind().dialect.name == "sqlite" else SCHEMA
    identity = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    incident_id = f"{schema}.incidents.id" if schema else "incidents.id"

    op.create_table(
        "events",
        sa.Column("occurred_day", sa.Date, primary_key=True, comment="from the id, or the quarantine's"),
        sa.Column("event_id", sa.Text, primary_key=True),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        sa.Column(
            "occurred_at", UtcDateTime, nullable=False, comment="clamped to received_at if ahead of it"
        ),
        sa.Column("received_at", UtcDateTime, nullable=False),
        sa.Column("severity", sa.SmallInteger, nullable=False, comment="1 low to 4 critical"),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("environment", sa.Text, nullable=False),
        sa.Column("release", sa.Text),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.Column("producer_id", sa.Text),
        sa.Column("sequence", sa.BigInteger),
        sa.Column("doc_codec", sa.SmallInteger, nullable=False, comment="0: JSON as it came"),
        sa.Column("doc", sa.LargeBinary, comment="the event as it came"),
        schema=schema,
        postgresql_partition_by="RANGE (occurred_day)",
    )
    op.create_index(
        "ix_events_fingerprint_occurred_at", "events", ["fingerprint", "occurred_at"], schema=schema
    )
    op.create_index("ix_events_received_at", "events", ["received_at"], schema=schema)

    op.create_table(
        "incidents",
        sa.Column("id", identity, primary_key=True, autoincrement=True, comment="shown as INC-<id>"),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("culprit", sa.Text, nullable=False),
        sa.Column("severity", sa.SmallInteger, nullable=False, comment="the highest seen"),
        sa.Column("category", sa.Text, nullable=False),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False, comment="open, acknowledged or resolved"),
        sa.Column("episode", sa.Integer, nullable=False, comment="1, and one more at each regression"),
        sa.Column(
            "count", sa.BigInteger, nullable=False, comment="0: registered, not yet counted, invisible"
        ),
        sa.Column("first_seen_at", UtcDateTime, nullable=False),
        sa.Column("last_seen_at", UtcDateTime, nullable=False),
        sa.Column("resolved_at", UtcDateTime),
        sa.Column("last_release", sa.Text),
        sa.Column(
            "search_text", sa.Text, nullable=False, comment="case-folded title, culprit, code and service"
        ),
        schema=schema,
        postgresql_with=_HOT,
    )
    op.create_index("ix_incidents_service", "incidents", ["service"], schema=schema)

    op.create_table(
        "fingerprints",
        sa.Column(
            "fingerprint", sa.LargeBinary, primary_key=True, comment="the first 16 bytes of the digest"
        ),
        sa.Column("version", sa.SmallInteger, nullable=False, comment="of the grouping algorithm"),
        sa.Column(
            "digest", sa.LargeBinary, nullable=False, comment="sha256 of the service and the key parts"
        ),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column(
            "incident_id",
            sa.BigInteger,
            sa.ForeignKey(incident_id, name="fk_fingerprints_incident_id"),
            nullable=False,
        ),
        sa.Column("parts", sa.Text, nullable=False, comment="the ordered key parts as a JSON array"),
        sa.Column("created_at", UtcDateTime, nullable=False),
        schema=schema,
    )
    op.create_index("ix_fingerprints_incident_id", "fingerprints", ["incident_id"], schema=schema)

    op.create_table(
        "sightings",
        sa.Column("fingerprint", sa.LargeBinary, primary_key=True),
        sa.Column("environment", sa.Text, primary_key=True),
        sa.Column("release", sa.Text, primary_key=True, comment="empty: the event named none"),
        sa.Column("created_at", UtcDateTime, nullable=False),
        schema=schema,
        comment="in which environments and releases a fingerprint was ever seen, for the filters",
    )

    op.create_table(
        "hourly",
        sa.Column("fingerprint", sa.LargeBinary, primary_key=True),
        sa.Column("environment", sa.Text, primary_key=True),
        sa.Column("hour", UtcDateTime, primary_key=True),
        sa.Column("count", sa.BigInteger, nullable=False),
        schema=schema,
        postgresql_with=_HOT,
    )

    op.create_table(
        "incident_history",
        sa.Column("id", identity, primary_key=True, autoincrement=True),
        sa.Column(
            "incident_id",
            sa.BigInteger,
            sa.ForeignKey(incident_id, name="fk_incident_history_incident_id"),
            nullable=False,
        ),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("event_id", sa.Text),
        sa.Column("before", sa.Text, comment="the status before; none when the incident was opened"),
        sa.Column("after", sa.Text, nullable=False),
        schema=schema,
        comment="append-only: every transition of an incident",
    )
    op.create_index("ix_incident_history_incident_id", "incident_history", ["incident_id"], schema=schema)

    op.create_table(
        "dead_letters",
        sa.Column("id", identity, primary_key=True, autoincrement=True),
        sa.Column(
            "digest",
            sa.LargeBinary,
            nullable=False,
            comment="sha256 of the body: a redelivery is the same row",
        ),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False, comment="a sentence with the JSON path"),
        sa.Column("first_seen_at", UtcDateTime, nullable=False),
        sa.Column("last_seen_at", UtcDateTime, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("event_id", sa.Text),
        sa.Column("origin", sa.Text, nullable=False, comment="the queue or door it came by"),
        sa.Column("message_type", sa.Text),
        sa.Column(
            "size", sa.BigInteger, nullable=False, comment="of the body in bytes, also where it was cut"
        ),
        sa.Column("body", sa.LargeBinary, nullable=False),
        schema=schema,
    )
    op.create_index("ix_dead_letters_digest", "dead_letters", ["digest"], unique=True, schema=schema)

    if schema:
        op.execute(
            f"CREATE TABLE {schema}.events_quarantine PARTITION OF {schema}.events "
            "FOR VALUES FROM ('1970-01-01') TO ('1970-01-02')"
        )
        # lz4 costs a fifth less of the server's CPU than pglz; a server built without it keeps pglz.
        op.execute(
            f"DO $$ BEGIN ALTER TABLE {schema}.events ALTER COLUMN doc SET COMPRESSION lz4; "
            f"ALTER TABLE {schema}.events_quarantine ALTER COLUMN doc SET COMPRESSION lz4; "
            "EXCEPTION WHEN feature_not_supported THEN NULL; END $$"
        )


def downgrade() -> None:
    """Refuse: going back would drop every stored event."""
    raise NotImplementedError("there is nothing before the first migration to go back to")
