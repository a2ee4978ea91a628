"""The tables of rules and notifications: the outbox with its history, windows, and digests to come."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    and_,
    false,
    literal_column,
)

from faultwire_consumer.store.schema.events import Identity, UtcDateTime, metadata

outbox = Table(
    "outbox",
    metadata,
    Column("id", Identity, primary_key=True, autoincrement=True),
    Column("idempotency_key", Text, nullable=False, comment="rule, incident, episode, reason and receiver"),
    Column("receiver", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("kind", Text, nullable=False, comment="incident, summary or digest"),
    Column("reason", Text, nullable=False, comment="what happened, as in new or regressed"),
    Column("incident_id", BigInteger, comment="none for a digest"),
    Column("episode", Integer, nullable=False, comment="of the incident; 0 for a threshold or digest"),
    Column("severity", SmallInteger, nullable=False),
    Column("event_id", Text),
    Column("detail", Text, nullable=False, comment="the rule's own sentence"),
    Column("urgent", Boolean, nullable=False, comment="told at once, one by one"),
    Column("ordinal", Integer, nullable=False, comment="of a reminder; 0 for what is none"),
    Column("remind_seconds", Integer, comment="how long after it the next reminder is due"),
    Column("created_at", UtcDateTime, nullable=False),
    Column("since", UtcDateTime, comment="a digest's beginning"),
    Column("until", UtcDateTime, comment="a digest's end"),
    Column("due_at", UtcDateTime, nullable=False),
    Column("state", Text, nullable=False, comment="waiting, carried, sent, stopped or given_up"),
    Column("state_reason", Text, comment="why it waits longer, was stopped or given up"),
    Column("carrier_id", BigInteger, comment="the row that tells this one with others"),
    Column("attempts", Integer, nullable=False),
    Column("attempted_at", UtcDateTime, comment="the first attempt"),
    Column("finished_at", UtcDateTime),
    Column("lease_token", Text, comment="of the dispatcher that has it; another one's mark is void"),
    Column("lease_until", UtcDateTime),
    Column(
        "facts", Text, comment="JSON: what silences are matched with; none: a digest, or of an older release"
    ),
    Column("count_before", BigInteger, comment="the incident's count before what it tells"),
    Column("silence_id", BigInteger, comment="that stopped it, or holds it back"),
    Column("resent_at", UtcDateTime, comment="since an operator had it sent again; no stage looks at it"),
    Column("hears", Text, comment="reasons that its receiver asks for beside the rule's; none for none"),
    comment="notifications, written in the transaction of what they tell, one for each receiver",
)
Index("ix_outbox_idempotency_key", outbox.c.idempotency_key, unique=True)
Index(
    "ix_outbox_waiting",
    outbox.c.receiver,
    outbox.c.urgent,
    outbox.c.due_at,
    postgresql_where=outbox.c.state == "waiting",
    sqlite_where=outbox.c.state == "waiting",
)
Index(
    "ix_outbox_given_up",
    outbox.c.finished_at,
    postgresql_where=outbox.c.state == "given_up",
    sqlite_where=outbox.c.state == "given_up",
)
Index("ix_outbox_receiver_attempted_at", outbox.c.receiver, outbox.c.attempted_at)
_is_retried = and_(outbox.c.carrier_id.is_(None), outbox.c.attempts > literal_column("1"))
Index(
    "ix_outbox_retried",
    outbox.c.receiver,
    outbox.c.finished_at,
    postgresql_where=_is_retried,
    sqlite_where=_is_retried,
)
Index("ix_outbox_carrier_id", outbox.c.carrier_id)
Index("ix_outbox_incident_id", outbox.c.incident_id)
Index(
    "ix_outbox_silence_id",
    outbox.c.silence_id,
    postgresql_where=outbox.c.silence_id.is_not(None),
    sqlite_where=outbox.c.silence_id.is_not(None),
)

outbox_attempts = Table(
    "outbox_attempts",
    metadata,
    Column("outbox_id", BigInteger, primary_key=True),
    Column("number", Integer, primary_key=True, comment="1 for the first"),
    Column("started_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime, comment="none: it runs, or its worker died before it could tell"),
    Column("outcome", Text, comment="sent, transient or permanent"),
    Column("reason", Text),
    Column("detail", Text),
    comment="append-only: every try to send a notification",
)

outbox_stages = Table(
    "outbox_stages",
    metadata,
    Column("id", Identity, primary_key=True, autoincrement=True),
    Column("outbox_id", BigInteger, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("stage", Text, nullable=False),
    Column("decision", Text, nullable=False, comment="passed, held, carried, stopped or given_up"),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False),
    comment="append-only: what the stages before the senders decided, and why",
)
Index("ix_outbox_stages_outbox_id", outbox_stages.c.outbox_id)

windows = Table(
    "windows",
    metadata,
    Column("rule", Text, primary_key=True),
    Column("scope", Text, primary_key=True, comment="an incident, service or category; empty for all"),
    Column("length_seconds", Integer, primary_key=True, comment="a rule with another length counts anew"),
    Column("counts", Text, nullable=False, comment="JSON: by bucket, and where it tripped last"),
    Column("updated_at", UtcDateTime, nullable=False),
    comment="what rules with a threshold have counted, for all workers",
)

absences = Table(
    "absences",
    metadata,
    Column("rule", Text, primary_key=True),
    Column("service", Text, primary_key=True),
    Column("since", UtcDateTime, nullable=False, comment="from when its silence counts"),
    Column("checked_at", UtcDateTime, nullable=False),
    Column("event_id", Text, comment="of the event that told of it, until it comes back"),
    comment="services that rules of absence watch",
)

pending = Table(
    "pending",
    metadata,
    Column("rule", Text, primary_key=True),
    Column("receiver", Text, primary_key=True),
    Column("incident_id", BigInteger, primary_key=True),
    Column("due_at", UtcDateTime, primary_key=True, comment="of the digest that it goes into"),
    Column("reason", Text, nullable=False, comment="new, regressed, severity_rose or continued"),
    Column("severity", SmallInteger, nullable=False),
    Column("event_id", Text),
    Column("count_before", BigInteger, nullable=False, comment="the incident's count before it was pending"),
    Column("created_at", UtcDateTime, nullable=False),
    Column("touched_at", UtcDateTime, nullable=False),
    Column(
        "is_taken",
        Boolean,
        nullable=False,
        server_default=false(),
        comment="by the transaction that makes its digest, and no other ever sees it",
    ),
    comment="incidents that the next digests have to tell of",
)
Index("ix_pending_due_at", pending.c.due_at)

digest_lines = Table(
    "digest_lines",
    metadata,
    Column("outbox_id", BigInteger, primary_key=True),
    Column("incident_id", BigInteger, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("severity", SmallInteger, nullable=False),
    Column("event_id", Text),
    Column("events", BigInteger, nullable=False, comment="since the digest before"),
    Column("events_before", BigInteger, comment="in the period before; none: not known"),
    Column("section", Text, comment="in which it is told; none: of an older release"),
    comment="what a digest in the outbox tells of",
)

digests = Table(
    "digests",
    metadata,
    Column("outbox_id", BigInteger, primary_key=True),
    Column("body", Text, nullable=False, comment="JSON: all that it says, see domain/digest/facts.py"),
    comment="digests as they were computed when they were made, in the transaction of that",
)

silences = Table(
    "silences",
    metadata,
    Column("id", Identity, primary_key=True, autoincrement=True),
    Column("matchers", Text, nullable=False, comment="JSON"),
    Column("weekly", Text, nullable=False, comment="JSON: its windows; an empty array: all the time"),
    Column("starts_at", UtcDateTime, nullable=False),
    Column("ends_at", UtcDateTime, nullable=False),
    Column("also_critical", Boolean, nullable=False),
    Column("author", Text, nullable=False),
    Column("comment", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime, comment="when somebody ended it"),
    Column("ended_by", Text),
    Column("hits", BigInteger, nullable=False, comment="notifications that it stopped or held back"),
    Column("last_hit_at", UtcDateTime),
    comment="notifications that nobody is to get for a time",
)
Index("ix_silences_ends_at", silences.c.ends_at)

silence_hits = Table(
    "silence_hits",
    metadata,
    Column("silence_id", BigInteger, primary_key=True),
    Column("incident_id", BigInteger, primary_key=True, comment="0: all beyond those that are counted apart"),
    Column("notifications", BigInteger, nullable=False),
    Column("first_at", UtcDateTime, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
    comment="what each silence hid, by incident",
)

silence_history = Table(
    "silence_history",
    metadata,
    Column("id", Identity, primary_key=True, autoincrement=True),
    Column("silence_id", BigInteger, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("action", Text, nullable=False, comment="created, ended or resumed"),
    Column("actor", Text, nullable=False),
    Column("note", Text, nullable=False),
    comment="append-only: what was done to a silence",
)
Index("ix_silence_history_silence_id", silence_history.c.silence_id)
