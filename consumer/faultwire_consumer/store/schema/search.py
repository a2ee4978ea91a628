"""The tables by which kept events are found: their texts, their values, and how far old ones are in them."""

from sqlalchemy import BigInteger, Column, Date, Index, LargeBinary, SmallInteger, Table, Text, text

from faultwire_consumer.store.schema.events import Identity, UtcDateTime, history, metadata

# By bytes on both databases: SQLite does so anyway, and PostgreSQL's index then serves beginnings too.
_Bytewise = Text().with_variant(Text(collation="C"), "postgresql")

event_texts = Table(
    "event_texts",
    metadata,
    Column("id", Identity, primary_key=True, autoincrement=True),
    Column("occurred_day", Date, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("occurred_at", UtcDateTime, nullable=False),
    Column("edge", Text, comment="first or last, of an edge body; none where the event's row has its body"),
    Column("text", Text, nullable=False, comment="what it is searched by, folded, a text a line"),
    comment="of every event whose body is kept; the trigram index of it is made where the server allows",
)
Index("ix_event_texts_occurred_day_event_id", event_texts.c.occurred_day, event_texts.c.event_id, unique=True)
Index("ix_event_texts_occurred_at_event_id", event_texts.c.occurred_at, event_texts.c.event_id)
Index("ix_event_texts_fingerprint_occurred_at", event_texts.c.fingerprint, event_texts.c.occurred_at)

event_values = Table(
    "event_values",
    metadata,
    Column("text_id", BigInteger, primary_key=True, autoincrement=False),
    Column("number", SmallInteger, primary_key=True, autoincrement=False, comment="of the event's values"),
    Column("name", _Bytewise, nullable=False, comment="user, trace, type, host, or tag. and its key"),
    Column("value", _Bytewise, nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    comment="of the events in event_texts",
    sqlite_with_rowid=False,
)
Index(
    "ix_event_values_name_value_fingerprint",
    event_values.c.name,
    event_values.c.value,
    event_values.c.fingerprint,
    event_values.c.text_id,
)

search_fill = Table(
    "search_fill",
    metadata,
    Column("name", Text, primary_key=True, comment="of the chore; there is one"),
    Column("day", Date, comment="that it is at; none: it has not begun"),
    Column("event_id", Text, comment="of the last that it did of that day"),
    comment="a row while events from before the search are being made findable; none once all are",
)

search_queue = Table(
    "search_queue",
    metadata,
    Column("id", Identity, primary_key=True, autoincrement=True),
    Column("body", LargeBinary, nullable=False, comment="JSON: the day and id of each event"),
    comment="kept events of large batches, which are made findable moments later; a row a batch",
)

_IS_REGRESSED = text("reason = 'regressed'")
Index(
    "ix_incident_history_regressed_at",
    history.c.at,
    history.c.incident_id,
    postgresql_where=_IS_REGRESSED,
    sqlite_where=_IS_REGRESSED,
)
Index(
    "ix_incident_history_regressed_release",
    history.c.release,
    history.c.incident_id,
    postgresql_where=_IS_REGRESSED,
    sqlite_where=_IS_REGRESSED,
)
