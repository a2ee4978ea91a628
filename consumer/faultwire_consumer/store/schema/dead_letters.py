"""The tables of dead letters: what could not be stored as an event, and what was done to it."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, Table, Text

from faultwire_consumer.store.schema.events import Identity, UtcDateTime, metadata

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", Identity, primary_key=True, autoincrement=True),
    Column("digest", LargeBinary, nullable=False, comment="sha256 of the body: a redelivery is the same row"),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False, comment="a sentence with the JSON path"),
    Column("first_seen_at", UtcDateTime, nullable=False),
    Column("last_seen_at", UtcDateTime, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("event_id", Text),
    Column("origin", Text, nullable=False, comment="the queue or door it came by"),
    Column("message_type", Text),
    Column("size", BigInteger, nullable=False, comment="of the body in bytes, also where it was cut"),
    Column("body", LargeBinary, nullable=False),
    Column("status", Text, nullable=False, comment="waiting, replayed or discarded"),
    Column("service", Text, comment="that its body names, or empty; none: kept before this column"),
    Column("edited_body", LargeBinary, comment="as an operator corrected it, to be replayed"),
)
Index("ix_dead_letters_digest", dead_letters.c.digest, unique=True)
Index("ix_dead_letters_status_id", dead_letters.c.status, dead_letters.c.id)

dead_letter_history = Table(
    "dead_letter_history",
    metadata,
    Column("id", Identity, primary_key=True, autoincrement=True),
    Column("dead_letter_id", BigInteger, ForeignKey(dead_letters.c.id), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False, comment="a DeadLetterChangeReason"),
    Column("detail", Text, nullable=False, comment="what came of it, or the operator's why"),
    Column("before", Text, nullable=False),
    Column("after", Text, nullable=False),
    comment="append-only: what was done to a dead letter",
)
Index("ix_dead_letter_history_dead_letter_id", dead_letter_history.c.dead_letter_id)
