"""The locks that statements of migrations take on PostgreSQL, by what its manual says of each.

Only what somebody may have to wait for: reading tables, and what nobody else can see yet, is left out.
"""

import re
from collections.abc import Container, Iterator, Sequence
from enum import StrEnum
from typing import Final

from msgspec import Struct


class LockMode(StrEnum):
    """A table's lock as PostgreSQL calls it, the weaker first."""

    ROW_EXCLUSIVE = "ROW EXCLUSIVE"
    SHARE_UPDATE_EXCLUSIVE = "SHARE UPDATE EXCLUSIVE"
    SHARE = "SHARE"
    SHARE_ROW_EXCLUSIVE = "SHARE ROW EXCLUSIVE"
    ACCESS_EXCLUSIVE = "ACCESS EXCLUSIVE"


class TableLock(Struct, frozen=True):
    """A lock on a table, or on the one of an index."""

    mode: LockMode
    target: str
    lasts: str = ""
    """Until when at least, if the statement itself takes its time."""


INDEXED: Final = "the table of "
"""Before the name of an index, whose table a statement does not name."""
_WAITS: Final = {
    LockMode.ROW_EXCLUSIVE: "who changes the same rows waits",
    LockMode.SHARE_UPDATE_EXCLUSIVE: "nobody who reads or writes it waits",
    LockMode.SHARE: "who writes it waits",
    LockMode.SHARE_ROW_EXCLUSIVE: "who writes it waits",
    LockMode.ACCESS_EXCLUSIVE: "who reads or writes it waits",
}
_READ: Final = "while all of it is read"
_REWRITTEN: Final = "while all of it is written anew"
_NAME: Final = r"(?:IF (?:NOT )?EXISTS )?(?:ONLY )?([\w.\"]+)"
_REFERENCED: Final = re.compile(rf"REFERENCES {_NAME}")
_CREATED: Final = re.compile(rf"CREATE TABLE {_NAME}")
_LOCKING: Final = (
    (rf"CREATE TABLE .* PARTITION OF {_NAME}", LockMode.ACCESS_EXCLUSIVE),
    (rf"CREATE (?:UNIQUE )?INDEX CONCURRENTLY {_NAME} ON {_NAME}", LockMode.SHARE_UPDATE_EXCLUSIVE),
    (rf"CREATE (?:UNIQUE )?INDEX {_NAME} ON {_NAME}", LockMode.SHARE),
    (rf"ALTER TABLE {_NAME} SET \(", LockMode.SHARE_UPDATE_EXCLUSIVE),
    (rf"ALTER TABLE {_NAME} ADD (?:CONSTRAINT \w+ )?FOREIGN KEY", LockMode.SHARE_ROW_EXCLUSIVE),
    (rf"ALTER TABLE {_NAME}", LockMode.ACCESS_EXCLUSIVE),
    (rf"DROP TABLE {_NAME}", LockMode.ACCESS_EXCLUSIVE),
    (rf"DROP INDEX {_NAME}", LockMode.ACCESS_EXCLUSIVE),
    (rf"COMMENT ON TABLE {_NAME}", LockMode.SHARE_UPDATE_EXCLUSIVE),
    (r"COMMENT ON COLUMN ([\w.\"]+)\.\w+", LockMode.SHARE_UPDATE_EXCLUSIVE),
    (rf"(?:UPDATE|INSERT INTO|DELETE FROM) {_NAME}", LockMode.ROW_EXCLUSIVE),
)
_FREE: Final = re.compile(
    r"CREATE (SCHEMA|FUNCTION|EXTENSION|TABLE)\b|(REVOKE|GRANT) .* ON FUNCTION|SELECT |SET "
)
_REWRITES: Final = re.compile(r"\bSTORED\b|\bALTER COLUMN \w+ (SET DATA )?TYPE\b|\bSERIAL\b|\bIDENTITY\b")
_READS: Final = re.compile(r"\b(ADD CONSTRAINT|ADD UNIQUE|ADD PRIMARY|SET NOT NULL|CHECK)\b")
_PARTS: Final = re.compile(r"^DO \$\$ BEGIN (.*?);(?: EXCEPTION .*)? END \$\$")


def table_made_by(statement: str) -> str | None:
    """Return the table that a statement makes; None for any other statement."""
    found = _CREATED.match(_one_line(statement))
    return None if found is None else found[1]


def locks_of(statement: str, *, new: Container[str] = ()) -> Sequence[TableLock] | None:
    """Return the locks of a statement; None if it is of a kind that is not known here.

    Args:
        statement: one.
        new: tables that nobody else sees yet.
    """
    line = _one_line(statement)
    block = _PARTS.match(line)
    if block is not None:
        inner = [locks_of(part.strip(), new=new) for part in block[1].split(";")]
        return None if None in inner else [lock for locks in inner for lock in locks or ()]
    found = [*_by_name(line), *_by_reference(line)]
    if not found and _FREE.match(line) is None:
        return None
    return [lock for lock in found if lock.target not in new]


def _by_name(line: str) -> Iterator[TableLock]:
    for pattern, mode in _LOCKING:
        match = re.match(pattern, line)
        if match is not None:
            target = match[match.lastindex or 1]
            yield TableLock(
                mode, f"{INDEXED}{target}" if "DROP INDEX" in line else target, _lasts(mode, line)
            )
            return


def _by_reference(line: str) -> Iterator[TableLock]:
    """Yield the locks on tables that a new foreign key refers to."""
    if line.startswith(("CREATE TABLE", "ALTER TABLE")):
        for target in dict.fromkeys(_REFERENCED.findall(line)):
            yield TableLock(LockMode.SHARE_ROW_EXCLUSIVE, target)


def _lasts(mode: LockMode, line: str) -> str:
    if mode is LockMode.ACCESS_EXCLUSIVE and _REWRITES.search(line):
        return _REWRITTEN
    reads = mode is LockMode.SHARE or "CONCURRENTLY" in line or "FOREIGN KEY" in line
    return _READ if reads or (mode is LockMode.ACCESS_EXCLUSIVE and _READS.search(line)) else ""


def spell_locks(locks: Sequence[TableLock] | None) -> str:
    """Say on a line what a statement locks, and who waits."""
    if locks is None:
        return "locks: not known here; what it does is in PostgreSQL's manual"
    if not locks:
        return "locks nothing that anybody waits for"
    return "locks " + "; ".join(
        f"{lock.target} {lock.mode}{f' {lock.lasts}' if lock.lasts else ''}: {_WAITS[lock.mode]}"
        for lock in locks
    )


def _one_line(statement: str) -> str:
    return " ".join(statement.split())
