"""Alembic's entry point: runs the migrations on the connection that ``migrate.py`` passes."""

from alembic import context
from sqlalchemy import Connection

from faultwire_consumer.store.schema.events import SCHEMA, metadata


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        version_table="schema_version",
        version_table_schema=None if connection.dialect.name == "sqlite" else SCHEMA,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


_run(context.config.attributes["connection"])
