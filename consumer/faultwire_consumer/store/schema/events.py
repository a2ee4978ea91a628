"""The tables of events, incidents and producers, for both databases.

Events carry their fingerprint and never their incident, so that a merge touches one table.
``events`` is partitioned by day on PostgreSQL (by the migrations, since SQLAlchemy cannot declare
that); SQLite keeps the same columns and key in one table.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Computed,
    Date,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    false,
    true,
)
from sqlalchemy.types import TypeDecorator, TypeEngine

SCHEMA: Final = "faultwire"
"""PostgreSQL's schema. SQLite has none: the engine translates it away."""

QUARANTINE_DAY: Final = date(1970, 1, 1)
"""The partition of events whose ids name a day more than 35 days back or 2 days ahead."""
DAYS_BACK: Final = 35
DAYS_AHEAD: Final = 2

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST: Final = datetime.min.replace(tzinfo=UTC)
_LAST: Final = datetime.max.replace(tzinfo=UTC)


def to_micros(moment: datetime) -> int:
    """Return a time as microseconds since 1970, which is how SQLite keeps it, exact and in order."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def from_micros(micros: int) -> datetime:
    """Return the aware UTC time of stored microseconds.

    Raises:
        OverflowError: they lie beyond the calendar.
    """
    return _EPOCH + timedelta(microseconds=micros)


def _within_calendar(micros: int) -> datetime:
    try:
        return from_micros(micros)
    except OverflowError:
        return _FIRST if micros < 0 else _LAST


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC time: ``timestamptz`` on PostgreSQL, microseconds since 1970 on SQLite."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the column's type in this database."""
        native: TypeEngine[Any] = BigInteger() if dialect.name == "sqlite" else DateTime(timezone=True)
        return dialect.type_descriptor(native)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Return a time as it is sent to the database."""
        return to_micros(value) if value is not None and dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Return a time from the database as an aware one."""
        if value is None:
            return None
        if dialect.name == "sqlite":
            return _within_calendar(value)
        if value.tzinfo is None:
            # PostgreSQL's infinity, which asyncpg gives as an end of the calendar, and takes back as one.
            return value.replace(tzinfo=UTC)  # type: ignore[no-any-return]
        return value.astimezone(UTC)  # type: ignore[no-any-return]


# SQLite assigns ids by itself only in a column that is exactly INTEGER.
Identity = BigInteger().with_variant(Integer(), "sqlite")

metadata = MetaData(
    schema=SCHEMA,
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
    },
)

events = Table(
    "events",
    metadata,
    Column("occurred_day", Date, primary_key=True, comment="from the id, or the quarantine's"),
    Column("event_id", Text, primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("occurred_at", UtcDateTime, nullable=False, comment="received_at where it cannot be true"),
    Column("received_at", UtcDateTime, nullable=False),
    Column("severity", SmallInteger, nullable=False, comment="1 low to 4 critical"),
    Column("service", Text, nullable=False),
    Column("environment", Text, nullable=False),
    Column("release", Text),
    Column("count", BigInteger, nullable=False),
    Column("producer_id", Text),
    Column("sequence", BigInteger),
    Column("doc_codec", SmallInteger, nullable=False, comment="0: JSON as it came, 1: a zstd frame"),
    Column("doc", LargeBinary, comment="the event as it came; none where its body is not kept with it"),
)
Index("ix_events_fingerprint_occurred_at", events.c.fingerprint, events.c.occurred_at)
Index("ix_events_received_at", events.c.received_at)

incidents = Table(
    "incidents",
    metadata,
    Column("id", Identity, primary_key=True, autoincrement=True, comment="shown as INC-<id>"),
    Column("service", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("culprit", Text, nullable=False),
    Column("severity", SmallInteger, nullable=False, comment="the highest seen"),
    Column("category", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("status", Text, nullable=False, comment="open, acknowledged or resolved"),
    Column("episode", Integer, nullable=False, comment="1, and one more at each regression"),
    Column("count", BigInteger, nullable=False, comment="0: registered, not yet counted, invisible"),
    Column("first_seen_at", UtcDateTime, nullable=False),
    Column("last_seen_at", UtcDateTime, nullable=False),
    Column("resolved_at", UtcDateTime),
    Column("last_release", Text),
    Column("search_text", Text, nullable=False, comment="what it is searched by, folded, a text a line"),
    Column(
        "last_seen_hour",
        UtcDateTime,
        # Computed by PostgreSQL; on SQLite a trigger does the same, see migration 0008.
        Computed(
            "CASE WHEN count = 0 THEN TIMESTAMPTZ '1970-01-01 00:00+00'"
            " ELSE greatest(date_bin('1 hour', last_seen_at, TIMESTAMPTZ '1970-01-01 00:00+00'),"
            " TIMESTAMPTZ '1970-01-01 01:00+00') END",
            persisted=True,
        ),
        nullable=False,
        comment="the hour of last_seen_at, kept by the database itself; 1970's first while count is 0",
    ),
    Column("bodies", Integer, nullable=False, server_default="0", comment="its events that have one"),
    Column("body_kept_at", UtcDateTime, comment="when the newest of them occurred"),
    Column("version", Integer, nullable=False, server_default="1", comment="one more with each transition"),
    Column("assignee", Text, comment="who has it: an account, or any name"),
    Column("muted_at", UtcDateTime, comment="since when, while it is muted"),
    Column("terms", Text, comment="JSON: what ends its mute or acknowledgement, what its resolve holds for"),
    Column("merged_into", BigInteger, comment="the incident that has its fingerprints; its own count is 0"),
    Column("merged_count", BigInteger, comment="its count when it was merged"),
    Column(
        "moves", Integer, nullable=False, server_default="0", comment="how often fingerprints came or went"
    ),
    # From here on kept moments after the events themselves, see store/events/figures/standing.py.
    Column("urgency", SmallInteger, nullable=False, server_default="0"),
    Column("growth", Integer, nullable=False, server_default="0", comment="in percent; 0: nothing to say"),
    Column("is_new", Boolean, nullable=False, server_default=false()),
    Column("began_at", UtcDateTime, comment="a copy of first_seen_at that is indexed; none: no figures yet"),
    Column("count_class", SmallInteger, nullable=False, server_default="0", comment="rises with the count"),
    Column("users", Integer, nullable=False, server_default="0"),
    Column("users_exact", Boolean, nullable=False, server_default=true()),
    Column("counted_episode", Integer, comment="the episode that release_totals know of"),
)
# No index on last_seen_at and count: they change with every batch, and HOT updates need them unindexed.
# The hour changes once an hour, and lists are sorted by it first; so with the other orders' columns.
Index("ix_incidents_last_seen_hour", incidents.c.last_seen_hour)
Index("ix_incidents_urgency_last_seen_hour", incidents.c.urgency, incidents.c.last_seen_hour)
Index("ix_incidents_began_at", incidents.c.began_at, incidents.c.id)
Index("ix_incidents_growth", incidents.c.growth, incidents.c.id)
Index("ix_incidents_users", incidents.c.users, incidents.c.id)
Index("ix_incidents_count_class", incidents.c.count_class)
Index(
    "ix_incidents_resolved_at",
    incidents.c.resolved_at,
    postgresql_where=incidents.c.resolved_at.is_not(None),
    sqlite_where=incidents.c.resolved_at.is_not(None),
)
Index(
    "ix_incidents_is_new",
    incidents.c.began_at,
    postgresql_where=incidents.c.is_new,
    sqlite_where=incidents.c.is_new,
)
for _name in ("service", "status", "severity", "code"):
    Index(f"ix_incidents_{_name}_last_seen_hour", incidents.c[_name], incidents.c.last_seen_hour)

fingerprints = Table(
    "fingerprints",
    metadata,
    Column("fingerprint", LargeBinary, primary_key=True, comment="the first 16 bytes of the digest"),
    Column("version", SmallInteger, nullable=False, comment="of the grouping algorithm"),
    Column("digest", LargeBinary, nullable=False, comment="sha256 of the service and the key parts"),
    Column("service", Text, nullable=False),
    Column("incident_id", BigInteger, ForeignKey(incidents.c.id), nullable=False),
    Column("parts", Text, nullable=False, comment="the ordered key parts as a JSON array"),
    Column("created_at", UtcDateTime, nullable=False),
    Column("home_id", BigInteger, comment="the incident that it was merged away with, and goes back to"),
    Column("pinned_at", UtcDateTime, comment="when it was unmerged: no machine ever moves it again"),
    Column("counted_since", UtcDateTime, comment="of what has events before: since when it has figures"),
)
Index("ix_fingerprints_incident_id", fingerprints.c.incident_id)
Index(
    "ix_fingerprints_counted_since",
    fingerprints.c.counted_since,
    postgresql_where=fingerprints.c.counted_since.is_not(None),
    sqlite_where=fingerprints.c.counted_since.is_not(None),
)

edge_bodies = Table(
    "edge_bodies",
    metadata,
    Column("fingerprint", LargeBinary, primary_key=True),
    Column("edge", Text, primary_key=True, comment="first or last"),
    Column("occurred_day", Date, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("occurred_at", UtcDateTime, nullable=False),
    Column("doc_codec", SmallInteger, nullable=False),
    Column("doc", LargeBinary, nullable=False),
    comment="of the first and the last event, where the incident's budget kept no body with them",
)

body_dictionaries = Table(
    "body_dictionaries",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False, comment="as frames name it"),
    Column("created_at", UtcDateTime, nullable=False),
    Column("samples", Integer, nullable=False, comment="the bodies that it was made of"),
    Column("content", LargeBinary, nullable=False),
    comment="what packed bodies have in common; kept for as long as any may need it, the newest packs",
)

sightings = Table(
    "sightings",
    metadata,
    Column("fingerprint", LargeBinary, primary_key=True),
    Column("environment", Text, primary_key=True),
    Column("release", Text, primary_key=True, comment="empty: the event named none"),
    Column("created_at", UtcDateTime, nullable=False),
    comment="in which environments and releases a fingerprint was ever seen, for the filters",
)
Index("ix_sightings_environment", sightings.c.environment)
Index("ix_sightings_release", sightings.c.release)

hourly = Table(
    "hourly",
    metadata,
    Column("fingerprint", LargeBinary, primary_key=True),
    Column("environment", Text, primary_key=True),
    Column("hour", UtcDateTime, primary_key=True),
    Column("count", BigInteger, nullable=False),
)

history = Table(
    "incident_history",
    metadata,
    Column("id", Identity, primary_key=True, autoincrement=True),
    Column("incident_id", BigInteger, ForeignKey(incidents.c.id), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("event_id", Text),
    Column("before", Text, comment="the status before; none when the incident was opened"),
    Column("after", Text, nullable=False),
    Column("detail", Text, comment="what exactly, in words"),
    Column("note", Text, comment="the operator's own words"),
    Column("release", Text, comment="of the event; none: it named none, or came earlier"),
    comment="append-only: every transition of an incident",
)
Index("ix_incident_history_incident_id", history.c.incident_id)

producers = Table(
    "producers",
    metadata,
    Column("producer_id", Text, primary_key=True),
    Column("service", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("first_seen_at", UtcDateTime, nullable=False),
    Column("last_seen_at", UtcDateTime, nullable=False),
    Column("last_report_at", UtcDateTime),
    Column("last_sequence", BigInteger, nullable=False, comment="the highest number known to be given"),
    Column("gaps", Integer, nullable=False, comment="rows of it in sequence_gaps that an event may fill"),
    Column("spool_depth", BigInteger, nullable=False, comment="by its last report"),
    Column("started_at", UtcDateTime, comment="by its own report"),
    Column(
        "lost", Text, nullable=False, server_default="{}", comment="events by reason, by its reports; JSON"
    ),
    Column(
        "unfollowed",
        BigInteger,
        nullable=False,
        server_default="0",
        comment="missing numbers beyond the gaps that are kept of one producer",
    ),
    Column("token", Text, comment="who may speak by this id, as token:billing; none: it came without one"),
    Column("sdk", Text, comment="name and version of its client, by its own report"),
    Column("via", Text, comment="the program that reports in its place; none: it reports itself"),
    Column(
        "unnumbered",
        BigInteger,
        nullable=False,
        server_default="0",
        comment="events that came without a number, by its reports",
    ),
    Column(
        "dropped",
        Text,
        nullable=False,
        server_default="{}",
        comment="items that are no events by kind, by its reports; JSON",
    ),
    comment="who numbers its events, and how far it has got",
)

Index("ix_producers_last_seen_at", producers.c.last_seen_at, producers.c.producer_id)

sequence_gaps = Table(
    "sequence_gaps",
    metadata,
    Column("id", Identity, primary_key=True, autoincrement=True),
    Column("producer_id", Text, ForeignKey(producers.c.producer_id), nullable=False),
    Column("first", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
    Column("opened_at", UtcDateTime, nullable=False),
    Column("closed_at", UtcDateTime),
    Column("state", Text, nullable=False, comment="open, reported or filled"),
    Column("reason", Text, comment="why the producer lost them, by its own report"),
    Column("event_id", Text, comment="of the event that told of it, until its incident is resolved"),
    comment="numbers that were given and did not arrive",
)
Index("ix_sequence_gaps_producer_id", sequence_gaps.c.producer_id)
Index("ix_sequence_gaps_state_opened_at", sequence_gaps.c.state, sequence_gaps.c.opened_at)
