"""The tables of maintenance: the chores' leases, the days from which events are kept, retention's looks."""

from sqlalchemy import BigInteger, Column, Date, SmallInteger, Table, Text

from faultwire_consumer.store.schema.events import UtcDateTime, metadata

leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True, comment="the chore"),
    Column("holder", Text, nullable=False, comment="the worker, by host, process and chance"),
    Column("token", BigInteger, nullable=False, comment="one more for each holder"),
    Column("expires_at", UtcDateTime, nullable=False),
    comment="chores that one worker does for all",
)

retention_floors = Table(
    "retention_floors",
    metadata,
    Column("severity", SmallInteger, primary_key=True, comment="1 low to 4 critical"),
    Column("day", Date, nullable=False, comment="the oldest that is kept; never goes back"),
    Column("cleared_to", Date, comment="what is older than this is really gone"),
    Column("raised_at", UtcDateTime, nullable=False),
    comment="an event of an older day may have been counted, and is not taken in again",
)

retention_looks = Table(
    "retention_looks",
    metadata,
    Column("name", Text, primary_key=True, comment="of the chore; there is one"),
    Column(
        "day", Date, nullable=False, comment="by which it went last: the clocks agreed on it, or an operator"
    ),
    comment="a clock that is far ahead of the last look deletes nothing by itself",
)
