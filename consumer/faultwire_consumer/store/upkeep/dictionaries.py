"""The dictionaries that bodies are packed with: the newest, what one is made of, and when one may be used.

None is ever deleted: a frame says which one it needs, and nobody could tell whether any row still names it.
"""

from collections.abc import Sequence
from datetime import datetime
from itertools import chain, zip_longest
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import Row, func, select, text

from faultwire_consumer.store.contract.dialect import INSERT
from faultwire_consumer.store.contract.packed_body import Dictionary, is_packed
from faultwire_consumer.store.contract.packing import READS_PACKED
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.events.messages import bodies_of
from faultwire_consumer.store.schema.events import body_dictionaries, events

SAMPLES: Final = 500
"""The bodies that a dictionary is made of; four times as many make a body 1 % smaller."""
SAMPLE_BYTES: Final = 4 * 1024 * 1024
"""The most that they have together."""
LOOKED_AT: Final = 10_000
"""The newest events among which they are looked for: in a flood few have a body."""
DICTIONARIES_MAX: Final = 256
"""16 MiB of them; once there are so many, the newest stays in use."""
_CHUNK: Final = 50

# A worker that knows packed bodies holds this lock in each of its sessions, see the pool. What else has
# a worker's name is of an older release.
_OLDER: Final = """
SELECT count(*) FROM pg_stat_activity a
WHERE a.datname = current_database()
  AND a.application_name IN ('faultwire', current_setting('application_name'))
  AND NOT EXISTS (SELECT 1 FROM pg_locks l WHERE l.pid = a.pid AND l.locktype = 'advisory' AND l.granted
    AND (l.classid::bigint << 32 | l.objid::bigint) = {lock})
"""


class StoredDictionary(Struct, frozen=True):
    """A dictionary, and since when it is used."""

    id: int
    created_at: datetime
    number: int
    """How many there are with it."""


async def find_newest(store: Store) -> StoredDictionary | None:
    """Return what the newest dictionary is, without its content; None while there is none.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    table = body_dictionaries.c
    number = select(func.count()).select_from(body_dictionaries).scalar_subquery().label("number")
    newest = select(table.id, table.created_at, number).order_by(table.created_at.desc(), table.id).limit(1)
    rows = await store.read(newest)
    return StoredDictionary(rows[0].id, rows[0].created_at, rows[0].number) if rows else None


async def read_dictionary(store: Store, dictionary_id: int) -> Dictionary:
    """Read a dictionary that is there.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    table = body_dictionaries.c
    (row,) = await store.read(select(table.content).where(table.id == dictionary_id))
    return Dictionary(row.content)


async def keep_dictionary(store: Store, dictionary: Dictionary, *, samples: int, now: datetime) -> None:
    """Keep a dictionary, which is the newest from now on.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    values = {"id": dictionary.id, "created_at": now, "samples": samples, "content": dictionary.content}
    async with store.write() as tx:
        await tx.execute(INSERT[store.name](body_dictionaries).values(values).on_conflict_do_nothing())


async def read_samples(store: Store) -> list[bytes]:
    """Read bodies of the newest events: half of them as they are spread, half of as many bugs as there are.

    What is frequent becomes small by the first half, and what is not by the second: of two bugs' events and
    five hundred others' a dictionary of the second alone left four times as much of the former.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    table = events.c
    newest = (
        select(table.event_id, table.fingerprint, table.doc.is_not(None).label("is_kept"))
        .order_by(table.received_at.desc())
        .limit(LOOKED_AT)
    )
    ids = _choose([row for row in await store.read(newest) if row.is_kept])
    samples: list[bytes] = []
    for start in range(0, len(ids), _CHUNK):
        rows = await store.read(bodies_of(ids[start : start + _CHUNK]))
        samples += [row.doc for row in rows if row.doc is not None and not is_packed(row.doc)]
        if sum(map(len, samples)) >= SAMPLE_BYTES:
            break
    return samples


def _choose(rows: Sequence[Row[Any]]) -> list[str]:
    spread = [row.event_id for row in rows[:: max(1, len(rows) * 2 // SAMPLES)]]
    mixed = chain.from_iterable(zip_longest(spread, _in_turns(rows)))
    return list(dict.fromkeys(event_id for event_id in mixed if event_id is not None))[:SAMPLES]


def _in_turns(rows: Sequence[Row[Any]]) -> list[str]:
    """Return the events' ids, one of each fingerprint, then a second one of each, and so on."""
    of_fingerprint: dict[bytes, list[str]] = {}
    for row in rows:
        of_fingerprint.setdefault(row.fingerprint, []).append(row.event_id)
    turns = zip_longest(*of_fingerprint.values())
    return [event_id for event_id in chain.from_iterable(turns) if event_id is not None]


async def has_older_workers(store: Store) -> bool:
    """Return True if a worker uses the database that cannot read packed bodies; a SQLite file has one worker.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    if store.name == "sqlite":
        return False
    rows: Sequence[Row[Any]] = await store.read(text(_OLDER.format(lock=READS_PACKED)))
    return bool(rows[0][0])
