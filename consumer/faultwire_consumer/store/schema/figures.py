"""The tables of figures: what waits to be counted, values, users, and totals by hour and by release.

Kept by fingerprint where an incident is asked, so that a merge and its undoing touch none of them.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, SmallInteger, Table, Text

from faultwire_consumer.store.schema.events import Identity, UtcDateTime, metadata

figure_journal = Table(
    "figure_journal",
    metadata,
    Column("id", Identity, primary_key=True, autoincrement=True),
    Column("body", LargeBinary, nullable=False, comment="a batch's tally, see domain/figures/tally.py"),
    comment="what batches add to the figures, until that is added: written with their events",
)

value_counts = Table(
    "value_counts",
    metadata,
    Column("fingerprint", LargeBinary, primary_key=True),
    Column("key", Text, primary_key=True, comment="release, environment, host or tag.<name>"),
    Column("value", Text, primary_key=True, comment="empty: all beyond the values that are counted"),
    Column("first_seen_at", UtcDateTime, nullable=False),
    Column("last_seen_at", UtcDateTime, nullable=False),
    Column("count", BigInteger, nullable=False),
    comment="how many of a fingerprint's events have a value, for a bounded number of values",
)

user_sketches = Table(
    "user_sketches",
    metadata,
    Column("fingerprint", LargeBinary, primary_key=True),
    Column("body", LargeBinary, nullable=False, comment="hashes or registers, see domain/figures/sketch.py"),
    comment="how many users a fingerprint's events have",
)

hourly_totals = Table(
    "hourly_totals",
    metadata,
    Column("hour", UtcDateTime, primary_key=True),
    Column("service", Text, primary_key=True),
    Column("severity", SmallInteger, primary_key=True, comment="the events' own"),
    Column("count", BigInteger, nullable=False),
)
Index("ix_hourly_totals_service_hour", hourly_totals.c.service, hourly_totals.c.hour)

release_totals = Table(
    "release_totals",
    metadata,
    Column("service", Text, primary_key=True),
    Column("release", Text, primary_key=True),
    Column("first_seen_at", UtcDateTime, nullable=False),
    Column("last_seen_at", UtcDateTime, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("new_incidents", Integer, nullable=False, comment="whose first event was of this release"),
    Column("regressed", Integer, nullable=False, comment="times that an incident came back in it"),
)
Index("ix_release_totals_first_seen_at", release_totals.c.first_seen_at)
Index("ix_release_totals_service_first_seen_at", release_totals.c.service, release_totals.c.first_seen_at)
