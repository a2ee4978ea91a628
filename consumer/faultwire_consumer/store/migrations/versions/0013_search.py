"""Creates what kept events are found by: their texts, with a trigram index, and their values.

Frozen: later changes get migrations of their own, whatever ``store/schema`` says by then. What is stored
already is added by a chore, a few events at a time.
"""

import sqlalchemy as sa
from alembic import op

from faultwire_consumer.store.schema.events import SCHEMA, UtcDateTime

revision = "0013"
down_revision = "0011"

# As for incidents, see migration 0008.
_SQLITE_SEARCH = (
    (
        "CREATE VIRTUAL TABLE event_texts_search USING fts5(text,"
        " content='event_texts', content_rowid='id', columnsize=0, detail='none',"
        " tokenize='trigram case_sensitive 1')"
    ),
    (
        "CREATE TRIGGER event_texts_searched AFTER INSERT ON event_texts BEGIN"
        " INSERT INTO event_texts_search (rowid, text) VALUES (new.id, new.text); END"
    ),
    (
        "CREATE TRIGGER event_texts_search_deleted AFTER DELETE ON event_texts BEGIN"
        " INSERT INTO event_texts_search (event_texts_search, rowid, text)"
        " VALUES ('delete', old.id, old.text); END"
    ),
)


def upgrade() -> None:
    """Events that stand are not in it yet; a row in ``search_fill`` says so."""
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    schema = None if is_sqlite else SCHEMA
    prefix = "" if is_sqlite else f"{SCHEMA}."
    _create_texts(schema)
    _create_values(schema, sa.Text() if is_sqlite else sa.Text(collation="C"))
    op.create_table(
        "search_fill",
        sa.Column("name", sa.Text, primary_key=True, comment="of the chore; there is one"),
        sa.Column("day", sa.Date, comment="that it is at; none: it has not begun"),
        sa.Column("event_id", sa.Text, comment="of the last that it did of that day"),
        schema=schema,
        comment="a row while events from before the search are being made findable; none once all are",
    )
    op.create_table(
        "search_queue",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            primary_key=True,
            autoincrement=True,
        ),
        sa.Column("body", sa.LargeBinary, nullable=False, comment="JSON: the day and id of each event"),
        schema=schema,
        comment="kept events of large batches, which are made findable moments later; a row a batch",
    )
    op.execute(
        f"INSERT INTO {prefix}search_fill (name) SELECT 'bodies' WHERE EXISTS (SELECT 1 FROM {prefix}events)"  # noqa: S608 - our own words
    )
    op.create_index(
        "ix_incident_history_regressed_at",
        "incident_history",
        ["at", "incident_id"],
        schema=schema,
        postgresql_where=sa.text("reason = 'regressed'"),
        sqlite_where=sa.text("reason = 'regressed'"),
    )
    for statement in _SQLITE_SEARCH if is_sqlite else ():
        op.execute(statement)


def _create_texts(schema: str | None) -> None:
    op.create_table(
        "event_texts",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            primary_key=True,
            autoincrement=True,
        ),
        sa.Column("occurred_day", sa.Date, nullable=False),
        sa.Column("event_id", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        sa.Column("occurred_at", UtcDateTime, nullable=False),
        sa.Column(
            "edge", sa.Text, comment="first or last, of an edge body; none where the event's row has its body"
        ),
        sa.Column("text", sa.Text, nullable=False, comment="what it is searched by, folded, a text a line"),
        schema=schema,
        comment="of every event whose body is kept; the trigram index of it is made where the server allows",
    )
    name = "ix_event_texts_occurred_day_event_id"
    op.create_index(name, "event_texts", ["occurred_day", "event_id"], schema=schema, unique=True)
    for columns in (["occurred_at", "event_id"], ["fingerprint", "occurred_at"]):
        op.create_index(f"ix_event_texts_{'_'.join(columns)}", "event_texts", columns, schema=schema)


def _create_values(schema: str | None, bytewise: sa.Text) -> None:
    op.create_table(
        "event_values",
        sa.Column("text_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column(
            "number", sa.SmallInteger, primary_key=True, autoincrement=False, comment="of the event's values"
        ),
        sa.Column("name", bytewise, nullable=False, comment="user, trace, type, host, or tag. and its key"),
        sa.Column("value", bytewise, nullable=False),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        schema=schema,
        comment="of the events in event_texts",
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_event_values_name_value_fingerprint",
        "event_values",
        ["name", "value", "fingerprint", "text_id"],
        schema=schema,
    )


def downgrade() -> None:
    """Refuse, as every migration of ours does."""
    raise NotImplementedError("a database is restored from its backup, not taken back a version")
