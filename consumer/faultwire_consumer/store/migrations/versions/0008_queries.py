"""Keeps lists and searches fast: the hour of the last sight, indexes of filters, free text.

Frozen: later changes get migrations of their own, whatever ``store/schema`` says by then.
"""

import sqlalchemy as sa
from alembic import op

from faultwire_consumer.store.schema.events import SCHEMA, UtcDateTime

revision = "0008"
down_revision = "0007"

_FILTERS = ("service", "status", "severity", "code")

# A stored generated column leaves the hot path's UPDATE as it is, and is HOT while its value stays.
_POSTGRESQL_HOUR = """
ALTER TABLE faultwire.incidents ADD COLUMN last_seen_hour timestamptz NOT NULL GENERATED ALWAYS AS (
  CASE WHEN count = 0 THEN TIMESTAMPTZ '1970-01-01 00:00+00'
    ELSE greatest(date_bin('1 hour', last_seen_at, TIMESTAMPTZ '1970-01-01 00:00+00'),
      TIMESTAMPTZ '1970-01-01 01:00+00') END
) STORED
"""

# SQLite writes an index on a generated column at every touch (2.3 times its cost, with three such
# indexes), and a plain column's only where a statement names the column (1.05 times, by this trigger).
_SQLITE_HOUR = """
CREATE TRIGGER {name} AFTER {event} ON incidents
WHEN new.last_seen_hour <> {hour}
BEGIN UPDATE incidents SET last_seen_hour = {hour} WHERE id = new.id; END
"""
_HOUR = (
    "CASE WHEN new.count = 0 THEN 0"
    " ELSE max(3600000000, new.last_seen_at - new.last_seen_at % 3600000000) END"
)

# The text is folded already, so SQLite's own folding is off; candidates are verified, so that
# positions, which are most of such an index, are not kept.
_SQLITE_SEARCH = (
    (
        "CREATE VIRTUAL TABLE incidents_search USING fts5(search_text,"
        " content='incidents', content_rowid='id', columnsize=0, detail='none',"
        " tokenize='trigram case_sensitive 1')"
    ),
    "INSERT INTO incidents_search (incidents_search) VALUES ('rebuild')",
    (
        "CREATE TRIGGER incidents_searched AFTER INSERT ON incidents BEGIN"
        " INSERT INTO incidents_search (rowid, search_text) VALUES (new.id, new.search_text); END"
    ),
    (
        "CREATE TRIGGER incidents_search_changed AFTER UPDATE OF search_text ON incidents BEGIN"
        " INSERT INTO incidents_search (incidents_search, rowid, search_text)"
        " VALUES ('delete', old.id, old.search_text);"
        " INSERT INTO incidents_search (rowid, search_text) VALUES (new.id, new.search_text); END"
    ),
    (
        "CREATE TRIGGER incidents_search_deleted AFTER DELETE ON incidents BEGIN"
        " INSERT INTO incidents_search (incidents_search, rowid, search_text)"
        " VALUES ('delete', old.id, old.search_text); END"
    ),
)


def upgrade() -> None:
    """Incidents that stand are found by what they were searched by before."""
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    schema = None if is_sqlite else SCHEMA
    if is_sqlite:
        _prepare_sqlite()
    else:
        op.execute(_POSTGRESQL_HOUR)
    op.drop_index("ix_incidents_service", "incidents", schema=schema)
    op.create_index("ix_incidents_last_seen_hour", "incidents", ["last_seen_hour"], schema=schema)
    for name in _FILTERS:
        columns = [name, "last_seen_hour"]
        op.create_index(f"ix_incidents_{name}_last_seen_hour", "incidents", columns, schema=schema)
    op.create_index("ix_sightings_environment", "sightings", ["environment"], schema=schema)
    op.create_index("ix_sightings_release", "sightings", ["release"], schema=schema)


def _prepare_sqlite() -> None:
    hour = sa.Column("last_seen_hour", UtcDateTime, nullable=False, server_default="0")
    op.add_column("incidents", hour)
    op.execute(f"UPDATE incidents SET last_seen_hour = {_HOUR.replace('new.', '')}")  # noqa: S608 - our own words
    for name, event in (("seen_first", "INSERT"), ("seen", "UPDATE OF last_seen_at, count")):
        op.execute(_SQLITE_HOUR.format(name=f"incidents_{name}", event=event, hour=_HOUR))
    for statement in _SQLITE_SEARCH:
        op.execute(statement)


def downgrade() -> None:
    """Refuse, as every migration of ours does."""
    raise NotImplementedError("a database is restored from its backup, not taken back a version")
