"""Creates rules' windows and notifications: the outbox with its history, and digests to come.

Frozen: later changes get migrations of their own, whatever ``store/schema`` says by then.
"""

import sqlalchemy as sa
from alembic import op

from faultwire_consumer.store.schema.events import SCHEMA, UtcDateTime

revision = "0005"
down_revision = "0004"

# Rows that change with every batch leave room in their page for the next version (HOT updates).
_HOT = {"fillfactor": 60}


def upgrade() -> None:
    """Nothing that was stored before is told now: what came before had no rules."""
    schema = None if op.get_bind().dialect.name == "sqlite" else SCHEMA
    identity = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    waiting = sa.text("state = 'waiting'")

    op.create_table(
        "outbox",
        sa.Column("id", identity, primary_key=True, autoincrement=True),
        sa.Column(
            "idempotency_key", sa.Text, nullable=False, comment="rule, incident, episode, reason and receiver"
        ),
        sa.Column("receiver", sa.Text, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False, comment="incident, summary or digest"),
        sa.Column("reason", sa.Text, nullable=False, comment="what happened, as in new or regressed"),
        sa.Column("incident_id", sa.BigInteger, comment="none for a digest"),
        sa.Column(
            "episode", sa.Integer, nullable=False, comment="of the incident; 0 for a threshold or digest"
        ),
        sa.Column("severity", sa.SmallInteger, nullable=False),
        sa.Column("event_id", sa.Text),
        sa.Column("detail", sa.Text, nullable=False, comment="the rule's own sentence"),
        sa.Column("urgent", sa.Boolean, nullable=False, comment="told at once, one by one"),
        sa.Column("ordinal", sa.Integer, nullable=False, comment="of a reminder; 0 for what is none"),
        sa.Column("remind_seconds", sa.Integer, comment="how long after it the next reminder is due"),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("since", UtcDateTime, comment="a digest's beginning"),
        sa.Column("until", UtcDateTime, comment="a digest's end"),
        sa.Column("due_at", UtcDateTime, nullable=False),
        sa.Column("state", sa.Text, nullable=False, comment="waiting, carried, sent, stopped or given_up"),
        sa.Column("state_reason", sa.Text, comment="why it waits longer, was stopped or given up"),
        sa.Column("carrier_id", sa.BigInteger, comment="the row that tells this one with others"),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("attempted_at", UtcDateTime, comment="the first attempt"),
        sa.Column("finished_at", UtcDateTime),
        sa.Column(
            "lease_token", sa.Text, comment="of the dispatcher that has it; another one's mark is void"
        ),
        sa.Column("lease_until", UtcDateTime),
        schema=schema,
        comment="notifications, written in the transaction of what they tell, one for each receiver",
    )
    op.create_index("ix_outbox_idempotency_key", "outbox", ["idempotency_key"], schema=schema, unique=True)
    op.create_index(
        "ix_outbox_waiting",
        "outbox",
        ["receiver", "urgent", "due_at"],
        schema=schema,
        postgresql_where=waiting,
        sqlite_where=waiting,
    )
    op.create_index("ix_outbox_receiver_attempted_at", "outbox", ["receiver", "attempted_at"], schema=schema)
    op.create_index("ix_outbox_carrier_id", "outbox", ["carrier_id"], schema=schema)
    op.create_index("ix_outbox_incident_id", "outbox", ["incident_id"], schema=schema)
    op.create_table(
        "outbox_attempts",
        sa.Column("outbox_id", sa.BigInteger, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, comment="1 for the first"),
        sa.Column("started_at", UtcDateTime, nullable=False),
        sa.Column("ended_at", UtcDateTime, comment="none: it runs, or its worker died before it could tell"),
        sa.Column("outcome", sa.Text, comment="sent, transient or permanent"),
        sa.Column("reason", sa.Text),
        sa.Column("detail", sa.Text),
        schema=schema,
        comment="append-only: every try to send a notification",
    )
    op.create_table(
        "outbox_stages",
        sa.Column("id", identity, primary_key=True, autoincrement=True),
        sa.Column("outbox_id", sa.BigInteger, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("stage", sa.Text, nullable=False),
        sa.Column("decision", sa.Text, nullable=False, comment="passed, held, carried, stopped or given_up"),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        schema=schema,
        comment="append-only: what the stages before the senders decided, and why",
    )
    op.create_index("ix_outbox_stages_outbox_id", "outbox_stages", ["outbox_id"], schema=schema)
    op.create_table(
        "windows",
        sa.Column("rule", sa.Text, primary_key=True),
        sa.Column(
            "scope", sa.Text, primary_key=True, comment="an incident, service or category; empty for all"
        ),
        sa.Column(
            "length_seconds", sa.Integer, primary_key=True, comment="a rule with another length counts anew"
        ),
        sa.Column("counts", sa.Text, nullable=False, comment="JSON: by bucket, and where it tripped last"),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        schema=schema,
        comment="what rules with a threshold have counted, for all workers",
        postgresql_with=_HOT,
    )
    op.create_table(
        "pending",
        sa.Column("rule", sa.Text, primary_key=True),
        sa.Column("receiver", sa.Text, primary_key=True),
        sa.Column("incident_id", sa.BigInteger, primary_key=True),
        sa.Column("due_at", UtcDateTime, primary_key=True, comment="of the digest that it goes into"),
        sa.Column("reason", sa.Text, nullable=False, comment="new, regressed, severity_rose or continued"),
        sa.Column("severity", sa.SmallInteger, nullable=False),
        sa.Column("event_id", sa.Text),
        sa.Column(
            "count_before",
            sa.BigInteger,
            nullable=False,
            comment="the incident's count before it was pending",
        ),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("touched_at", UtcDateTime, nullable=False),
        schema=schema,
        comment="incidents that the next digests have to tell of",
    )
    op.create_index("ix_pending_due_at", "pending", ["due_at"], schema=schema)
    op.create_table(
        "digest_lines",
        sa.Column("outbox_id", sa.BigInteger, primary_key=True),
        sa.Column("incident_id", sa.BigInteger, primary_key=True),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("severity", sa.SmallInteger, nullable=False),
        sa.Column("event_id", sa.Text),
        sa.Column("events", sa.BigInteger, nullable=False, comment="since the digest before"),
        schema=schema,
        comment="what a digest in the outbox tells of",
    )


def downgrade() -> None:
    """Refuse: it would forget what has to be sent."""
    raise NotImplementedError("a database is restored from its backup, not taken back a version")
