-- Roles apart for faultwire on PostgreSQL: who owns the tables, who works in them, reads them, backs them up.
-- `faultwire db roles` prints this. A superuser runs it in faultwire's database, before its first upgrade or
-- at any time after; once more does no harm, and takes back what these roles were given beside it:
--
--   faultwire db roles | psql --no-psqlrc --set ON_ERROR_STOP=1 --dbname faultwire
--
-- Nobody can log in yet: `\password faultwire_worker`, and so on, give passwords. Whoever runs
-- `faultwire db upgrade` logs in as a member of the owner, as
--
--   CREATE ROLE faultwire_upgrade LOGIN IN ROLE faultwire_owner

BEGIN;
-- Nobody has to queue for long behind this: it fails instead, and can be run again.
SET LOCAL lock_timeout = '2s';

DO $$ BEGIN CREATE ROLE faultwire_owner NOLOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
DO $$ BEGIN CREATE ROLE faultwire_worker LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
DO $$ BEGIN CREATE ROLE faultwire_reader LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
DO $$ BEGIN CREATE ROLE faultwire_backup LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;

-- An upgrade names who holds a table, of whatever role.
GRANT pg_read_all_stats TO faultwire_owner;

-- CREATE is for the schema and for the extension pg_trgm.
DO $$ BEGIN
  EXECUTE format('GRANT CREATE ON DATABASE %I TO faultwire_owner', current_database());
  EXECUTE format('GRANT CONNECT ON DATABASE %I TO faultwire_owner, faultwire_worker, faultwire_reader,'
    ' faultwire_backup', current_database());
END $$;

CREATE SCHEMA IF NOT EXISTS faultwire AUTHORIZATION faultwire_owner;

-- What another role owned so far is the owner's. If that role logs in, as workers may have done until now, it
-- goes on as a worker; `REVOKE faultwire_worker FROM` it once nobody uses it any more.
DO $$
DECLARE
  owns constant oid := 'faultwire_owner'::regrole;
  before name;
  one record;
BEGIN
  SELECT r.rolname INTO before FROM pg_namespace n JOIN pg_roles r ON r.oid = n.nspowner
    WHERE n.nspname = 'faultwire' AND n.nspowner <> owns AND r.rolcanlogin AND NOT r.rolsuper;
  IF before IS NOT NULL THEN
    EXECUTE format('GRANT faultwire_worker TO %I', before);
  END IF;
  -- Sequences of a column and indexes follow their table; what an extension brought stays its own.
  FOR one IN
    SELECT c.relname, c.relkind FROM pg_class c
    WHERE c.relnamespace = 'faultwire'::regnamespace AND c.relowner <> owns AND c.relkind IN ('r', 'p', 'S')
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
        AND d.deptype IN ('a', 'i', 'e') AND c.relkind = 'S')
  LOOP
    EXECUTE format('ALTER %s faultwire.%I OWNER TO faultwire_owner',
      CASE one.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, one.relname);
  END LOOP;
  FOR one IN
    SELECT p.oid::regprocedure AS signature FROM pg_proc p
    WHERE p.pronamespace = 'faultwire'::regnamespace AND p.proowner <> owns
      AND NOT EXISTS (SELECT FROM pg_depend d
        WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
  LOOP
    EXECUTE format('ALTER FUNCTION %s OWNER TO faultwire_owner', one.signature);
  END LOOP;
END $$;
ALTER SCHEMA faultwire OWNER TO faultwire_owner;

REVOKE ALL ON SCHEMA faultwire FROM PUBLIC, faultwire_worker, faultwire_reader, faultwire_backup;
REVOKE ALL ON ALL TABLES IN SCHEMA faultwire
  FROM PUBLIC, faultwire_worker, faultwire_reader, faultwire_backup;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA faultwire
  FROM PUBLIC, faultwire_worker, faultwire_reader, faultwire_backup;

GRANT USAGE ON SCHEMA faultwire TO faultwire_worker, faultwire_reader, faultwire_backup;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA faultwire TO faultwire_worker;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA faultwire TO faultwire_worker;
GRANT SELECT ON ALL TABLES IN SCHEMA faultwire TO faultwire_reader, faultwire_backup;
-- pg_dump reads sequences too. pg_read_all_data would let it read every database of the server.
GRANT SELECT ON ALL SEQUENCES IN SCHEMA faultwire TO faultwire_backup;

-- The same for what upgrades, and the days to come, will add.
ALTER DEFAULT PRIVILEGES FOR ROLE faultwire_owner IN SCHEMA faultwire
  GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO faultwire_worker;
ALTER DEFAULT PRIVILEGES FOR ROLE faultwire_owner IN SCHEMA faultwire
  GRANT USAGE ON SEQUENCES TO faultwire_worker;
ALTER DEFAULT PRIVILEGES FOR ROLE faultwire_owner IN SCHEMA faultwire
  GRANT EXECUTE ON FUNCTIONS TO faultwire_worker;
ALTER DEFAULT PRIVILEGES FOR ROLE faultwire_owner IN SCHEMA faultwire
  GRANT SELECT ON TABLES TO faultwire_reader, faultwire_backup;
ALTER DEFAULT PRIVILEGES FOR ROLE faultwire_owner IN SCHEMA faultwire
  GRANT SELECT ON SEQUENCES TO faultwire_backup;

-- The two things that a worker has the owner do: make the table of a day near today, and drop one that is
-- below the retention floor of every severity.
DO $$
DECLARE
  one regprocedure;
BEGIN
  FOREACH one IN ARRAY ARRAY[
    to_regprocedure('faultwire.make_day(date)'), to_regprocedure('faultwire.drop_day(date)')
  ] LOOP
    IF one IS NOT NULL THEN
      EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC, faultwire_reader, faultwire_backup', one);
      EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO faultwire_worker', one);
    END IF;
  END LOOP;
END $$;

COMMIT;
