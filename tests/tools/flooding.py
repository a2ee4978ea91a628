"""One bug of one service from publishers that collapse nothing: no two events say the same."""

import hashlib
import itertools
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import Select, func, select, text
from tests.tools.event import bodies

from faultwire_consumer.domain.outcome import Stored
from faultwire_consumer.ingest.pipeline import Pipeline
from faultwire_consumer.ingest.read.delivery import read_delivery
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.events import event
from faultwire_consumer.store.schema.events import edge_bodies, events, incidents
from faultwire_shared.codec import EVENT_TYPE

BATCH: Final = 500

_SIZE: Final = {
    "sqlite": "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
    "postgresql": "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relkind IN ('r', 'm')"
    " AND relnamespace = 'faultwire'::regnamespace",
}


class Flooded(Struct, frozen=True):
    """What a flood left, and what it cost."""

    events: int
    incidents: int
    bodies: int
    first_body: bool
    last_body: bool
    grown_bytes: int
    seconds: float


async def size_of(store: Store) -> int:
    """Bytes of tables and indexes; what SQLite has only in its WAL is counted with them."""
    return int((await store.read(text(_SIZE[store.name])))[0][0])


async def flood(store: Store, count: int) -> Flooded:
    """Store so many events through the pipeline, and look at what became of them."""
    pipeline = Pipeline(store, metrics=Metrics())
    batches: list[list[str]] = []
    before, started = await size_of(store), datetime.now(UTC)
    for batch in _batches(count):
        outcomes = await pipeline.ingest(
            [read_delivery(body, EVENT_TYPE, origin="flood", handle=None) for body in batch]
        )
        batches.append([one.event_id for (one,) in outcomes if isinstance(one, Stored)])
    seconds = (datetime.now(UTC) - started).total_seconds()
    kept = await _count(store, select(func.count(events.c.doc)))
    return Flooded(
        events=await _count(store, select(func.sum(incidents.c.count))),
        incidents=await _count(store, select(func.count()).select_from(incidents)),
        bodies=kept + await _count(store, select(func.count()).select_from(edge_bodies)),
        # A batch occurred at one moment: of equals the id decides.
        first_body=await _is_readable(store, min(batches[0])),
        last_body=await _is_readable(store, max(batches[-1])),
        grown_bytes=await size_of(store) - before,
        seconds=seconds,
    )


def _batches(count: int) -> Iterator[Iterator[bytes]]:
    """The event of every benchmark, of one fingerprint; the moment goes on, as it does in a flood."""
    for start in range(0, count, BATCH):
        written = bodies(min(BATCH, count - start), start=start, fingerprints=1)
        yield map(_saying, written, itertools.count(start))


def _saying(body: bytes, number: int) -> bytes:
    """Its message and its exception name what nobody else's do, in letters and in digits."""
    basket = b"%s-%d" % (hashlib.blake2b(number.to_bytes(8), digest_size=6).hexdigest().encode(), number)
    return body.replace(b"the basket at step 0", b"basket " + basket).replace(
        b"'price'", b"'" + basket + b"'"
    )


async def _count(store: Store, statement: Select[Any]) -> int:
    return int((await store.read(statement))[0][0] or 0)


async def _is_readable(store: Store, event_id: str) -> bool:
    found = await event.get_event(store, event_id)
    return found is not None and found.doc is not None
