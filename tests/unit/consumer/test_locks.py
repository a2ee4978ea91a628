"""What statements of migrations lock, told from their text."""

import pytest

from faultwire_consumer.store.migrations.locks import locks_of, spell_locks, table_made_by

EVERYBODY = "who reads or writes it waits"
NOBODY = f"nobody {EVERYBODY}"


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("CREATE TABLE faultwire.a (id INT)", "locks nothing that anybody waits for"),
        (
            "CREATE TABLE faultwire.a (id INT REFERENCES faultwire.b (id))",
            "locks faultwire.b SHARE ROW EXCLUSIVE: who writes it waits",
        ),
        (
            "CREATE UNIQUE INDEX ix ON faultwire.b (id)",
            "locks faultwire.b SHARE while all of it is read: who writes it waits",
        ),
        (
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS ix ON faultwire.b (id)",
            f"locks faultwire.b SHARE UPDATE EXCLUSIVE while all of it is read: {NOBODY}",
        ),
        (
            "ALTER TABLE faultwire.b ADD COLUMN c INT",
            "locks faultwire.b ACCESS EXCLUSIVE: who reads or writes it waits",
        ),
        (
            "ALTER TABLE faultwire.b ADD COLUMN c INT GENERATED ALWAYS AS (id) STORED",
            f"locks faultwire.b ACCESS EXCLUSIVE while all of it is written anew: {EVERYBODY}",
        ),
        (
            "ALTER TABLE faultwire.b ALTER COLUMN c SET NOT NULL",
            "locks faultwire.b ACCESS EXCLUSIVE while all of it is read: who reads or writes it waits",
        ),
        (
            "DROP INDEX faultwire.ix",
            "locks the table of faultwire.ix ACCESS EXCLUSIVE: who reads or writes it waits",
        ),
        ("UPDATE faultwire.b\nSET c = 1", "locks faultwire.b ROW EXCLUSIVE: who changes the same rows waits"),
        ("CLUSTER faultwire.b", "locks: not known here; what it does is in PostgreSQL's manual"),
        ("ALTER TABLE faultwire.mine ADD COLUMN c INT", "locks nothing that anybody waits for"),
    ],
)
def test_a_statement_s_locks_are_told_with_who_waits(statement: str, told: str) -> None:
    assert spell_locks(locks_of(statement, new={"faultwire.mine"})) == told


def test_a_block_locks_what_its_statements_lock() -> None:
    block = (
        "DO $$ BEGIN ALTER TABLE faultwire.a ALTER COLUMN doc SET COMPRESSION lz4; "
        "ALTER TABLE faultwire.b ALTER COLUMN doc SET COMPRESSION lz4; "
        "EXCEPTION WHEN feature_not_supported THEN NULL; END $$"
    )
    assert [lock.target for lock in locks_of(block) or ()] == ["faultwire.a", "faultwire.b"]
    assert locks_of("DO $$ BEGIN PERFORM surprise(); END $$") is None


def test_a_new_table_is_known_by_the_statement_that_makes_it() -> None:
    assert table_made_by("CREATE TABLE IF NOT EXISTS faultwire.a (id INT)") == "faultwire.a"
    assert table_made_by("ALTER TABLE faultwire.a ADD COLUMN id INT") is None
