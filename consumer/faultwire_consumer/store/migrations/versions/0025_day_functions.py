"""Adds the two functions by which a worker that owns no table makes a day's partition, and drops one.

Frozen: later changes get migrations of their own, whatever ``store/postgresql`` says by then.
"""

from alembic import op

revision = "0025"
down_revision = "0024"

# They run as the tables' owner, so they trust nothing that a caller sets: names are built from a date, the
# search path is their own, and each says itself what it may do. The day is the database's, in UTC.
# A refusal is 42501, by which events wait; a code of class 22 would make dead letters of them.
_MAKE = """
CREATE FUNCTION faultwire.make_day(day date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
  name text := 'events_' || to_char(day, 'YYYYMMDD');
BEGIN
  IF day IS NULL OR abs(day - (now() AT TIME ZONE 'UTC')::date) > 40 THEN
    RAISE EXCEPTION 'day % is not within 40 days of today, by the clock of the database', day
      USING ERRCODE = '42501';
  END IF;
  PERFORM pg_advisory_xact_lock(7140923366);
  IF EXISTS (SELECT FROM pg_inherits WHERE inhrelid = to_regclass('faultwire.' || name)) THEN
    RETURN;
  END IF;
  EXECUTE format('CREATE TABLE IF NOT EXISTS faultwire.%I (LIKE faultwire.events INCLUDING DEFAULTS '
    'INCLUDING CONSTRAINTS INCLUDING STORAGE INCLUDING COMPRESSION)', name);
  EXECUTE format('ALTER TABLE faultwire.events ATTACH PARTITION faultwire.%I FOR VALUES FROM (%L) TO (%L)',
    name, day, day + 1);
END $function$
"""
# No function may DETACH CONCURRENTLY: this takes all of the events for the moment that it needs, and asks for
# them so briefly that whoever comes meanwhile hardly waits.
_DROP = """
CREATE FUNCTION faultwire.drop_day(day date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '500ms'
AS $function$
BEGIN
  IF day IS NULL OR day >= (now() AT TIME ZONE 'UTC')::date OR NOT (
    SELECT count(*) = 4 AND bool_and(floor.day > drop_day.day) FROM faultwire.retention_floors floor
  ) THEN
    RAISE EXCEPTION 'day % is not below the retention floors of all severities', day
      USING ERRCODE = '42501';
  END IF;
  EXECUTE format('DROP TABLE IF EXISTS faultwire.%I', 'events_' || to_char(day, 'YYYYMMDD'));
END $function$
"""


def upgrade() -> None:
    """Nothing is locked. Who may run them besides the owner is said by default privileges, if any."""
    if op.get_bind().dialect.name == "sqlite":
        return
    for statement in (_MAKE, _DROP):
        op.execute(statement)
    for name in ("make_day", "drop_day"):
        op.execute(f"REVOKE ALL ON FUNCTION faultwire.{name}(date) FROM PUBLIC")


def downgrade() -> None:
    """Refuse, as every migration of ours does."""
    raise NotImplementedError("a database is restored from its backup, not taken back a version")
