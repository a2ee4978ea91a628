#!/bin/sh
# Run by PostgreSQL's image once, at the first start: a database whose owner is no superuser.
# A worker owns its tables, for it makes a partition for each day.
set -eu

# psql reads the password itself and quotes it: no command line and no shell's text ever holds it.
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres <<'SQL'
\set password `cat /run/secrets/database_password`
CREATE ROLE faultwire LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'password';
CREATE DATABASE faultwire OWNER faultwire;
REVOKE ALL ON DATABASE faultwire FROM PUBLIC;
SQL
