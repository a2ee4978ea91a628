"""The rights that a worker's role needs, and the statements that give it those that it lacks.

Asked at the start, for what is missing would be felt by the first event, or by the first of tomorrow.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, text

from faultwire_consumer.store.contract.store import RightsError, StoreReader, StoreUnavailableError

_PATIENCE_SECONDS: Final = 0.5
"""Less than a health check has: that a database does not answer is another check's to say."""

# By the catalogue alone: a role without USAGE on the schema may not even name a table in it. The tables of
# days are reached through `events`, whose owner may do without the two functions.
_MISSING: Final = text("""
WITH mine AS (
  SELECT c.oid, c.relkind, c.relname FROM pg_class c
  JOIN pg_class e ON e.relname = 'events' AND e.relnamespace = c.relnamespace AND e.relowner = c.relowner
  JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'faultwire'
  WHERE c.relkind IN ('r', 'p', 'S') AND NOT c.relispartition AND c.relname !~ '^events_[0-9]{8}$'
), missing AS (
  SELECT 1 AS place, 'USAGE' AS rights, 'SCHEMA' AS one, NULL AS kind, 'faultwire' AS target FROM pg_namespace
  WHERE nspname = 'faultwire' AND NOT has_schema_privilege(oid, 'USAGE')
  UNION ALL
  SELECT 2, string_agg(r.name, ', ' ORDER BY r.place), NULL, 'ALL TABLES', format('faultwire.%I', m.relname)
  FROM mine m, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) WITH ORDINALITY AS r(name, place)
  WHERE m.relkind <> 'S' AND NOT has_table_privilege(m.oid, r.name) GROUP BY m.relname
  UNION ALL
  SELECT 3, 'USAGE', 'SEQUENCE', 'ALL SEQUENCES', format('faultwire.%I', relname) FROM mine
  WHERE CASE WHEN relkind = 'S' THEN NOT has_sequence_privilege(oid, 'USAGE') ELSE false END
  UNION ALL
  SELECT 4, 'EXECUTE', 'FUNCTION', NULL, format('faultwire.%I(date)', p.proname) FROM pg_proc p
  JOIN pg_namespace n ON n.oid = p.pronamespace AND n.nspname = 'faultwire'
  WHERE p.proname IN ('make_day', 'drop_day') AND NOT has_function_privilege(p.oid, 'EXECUTE')
)
SELECT format('GRANT %s ON %s TO %I', rights, CASE
  WHEN place IN (2, 3) AND count(*) = (SELECT count(*) FROM mine WHERE (relkind = 'S') = (place = 3))
    THEN kind || ' IN SCHEMA faultwire'
  ELSE concat_ws(' ', one, string_agg(target, ', ' ORDER BY target)) END, current_user) AS cure
FROM missing GROUP BY place, rights, one, kind ORDER BY place, rights
""")


def find_missing_rights(connection: Connection) -> str:
    """Return the statements that give this role what a worker needs; empty where it has it, or on SQLite."""
    if connection.dialect.name != "postgresql":
        return ""
    return _spell(connection.execute(_MISSING).all())


async def check_rights(store: StoreReader) -> None:
    """See that a worker's role may do what a worker does; nothing is said of a database that does not answer.

    Raises:
        RightsError: it lacks rights; the text has the statements that give them.
    """
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            missing = _spell(await store.read(_MISSING))
    except (TimeoutError, StoreUnavailableError):
        return
    if missing:
        raise lacking(missing)


def lacking(missing: str) -> RightsError:
    """Return the error for missing rights."""
    return RightsError(f"the database's role lacks rights; let the owner of its tables run: {missing}")


def _spell(rows: Sequence[Row[Any]]) -> str:
    return "; ".join(row.cure for row in rows)
