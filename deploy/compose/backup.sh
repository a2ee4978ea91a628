#!/bin/sh
# Dumps the database to /backups once a day and keeps seven. A dump counts only when it was restored into a database
# of its own, and what is in that is what was in the database at the moment of the dump.
#
#   backup.sh          for ever, at once and then once a day
#   backup.sh once     one dump; 0 if it counts
#   backup.sh check    0 if the newest one is younger than a day and an hour
#
# PostgreSQL is asked as PGHOST, PGPORT and PGUSER say, with the password in the file that PASSWORD_FILE names. The
# user makes and drops the database for the comparison.
set -eu
database=${DATABASE:-faultwire}
backups=${BACKUPS:-/backups}
scratch=${database}_restored
kept=7

ask() { psql --no-psqlrc --quiet --tuples-only --no-align --set ON_ERROR_STOP=1 "$@"; }

sums='SELECT (SELECT count(*) FROM faultwire.events), (SELECT coalesce(sum(count), 0) FROM faultwire.events),
  (SELECT count(*) FROM faultwire.incidents), (SELECT coalesce(sum(count), 0) FROM faultwire.incidents),
  (SELECT count(*) FROM faultwire.incident_history), (SELECT count(*) FROM faultwire.dead_letters)'

# Dump and sums are of one snapshot, whatever workers write meanwhile.
dump() {
  ask --dbname "$database" <<SQL
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SELECT pg_export_snapshot() AS snapshot \gset
\setenv SNAPSHOT :snapshot
\! pg_dump --snapshot="\$SNAPSHOT" --format=custom --file="$1" "$database" || rm -f "$1"
$sums;
SQL
}

restore() {
  ask --dbname postgres --command "DROP DATABASE IF EXISTS \"$scratch\"" --command "CREATE DATABASE \"$scratch\""
  pg_restore --exit-on-error --no-owner --no-privileges --dbname "$scratch" "$1"
  ask --dbname "$scratch" --command "$sums"
  ask --dbname postgres --command "DROP DATABASE \"$scratch\""
}

once() {
  part=$backups/unfinished
  was=$(dump "$part")
  is=$(restore "$part")
  if [ "$was" != "$is" ]; then
    echo "the dump does not count: it holds $is where the database held $was" >&2
    return 1
  fi
  name=$backups/faultwire-$(date -u +%Y-%m-%dT%H%M%S).dump
  sync "$part"
  mv "$part" "$name"
  echo "$name: restored and compared, $is (events, their sum, incidents, their sum, history, dead letters)"
  # Their names are their dates.
  find "$backups" -name 'faultwire-*.dump' | sort -r | tail -n +$((kept + 1)) | xargs -r rm -f
}

if [ "${1:-}" = check ]; then
  [ -n "$(find "$backups" -name 'faultwire-*.dump' -mmin -1500)" ]
  exit
fi
PGPASSWORD=$(cat "$PASSWORD_FILE")
export PGPASSWORD
if [ "${1:-}" = once ]; then
  once
  exit
fi
while :; do
  # In a shell of its own: a failure ends the attempt, and not the service, which says by its health that one is missing.
  if "$0" once; then sleep 86400; else sleep 3600; fi
done
