"""Dead letters do not fill a bounded database: of what has to go, settled ones go first."""

from sqlalchemy import func, insert, select
from structlog.testing import capture_logs
from tests.tools.clock import FixedClock

from faultwire_consumer.domain.retention import DEAD_LETTERS_SHARE, Retention
from faultwire_consumer.ingest.pipeline import Pipeline
from faultwire_consumer.ingest.read.delivery import read_delivery
from faultwire_consumer.maintenance.pruning import Pruner
from faultwire_consumer.maintenance.retention import RetentionKeeper
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.schema.dead_letters import dead_letter_history, dead_letters
from faultwire_consumer.store.upkeep.dead_letter_bytes import bound_dead_letters, measure_dead_letters
from faultwire_consumer.store.upkeep.space import ROW_BYTES, measure_store
from faultwire_shared.codec import EVENT_TYPE
from faultwire_shared.event import ErrorSeverity


async def test_dead_letters_beyond_their_bound_go_the_settled_ones_first(
    store: Store, clock: FixedClock
) -> None:
    statuses = ("waiting", "discarded", "replayed", "waiting", "discarded")
    async with store.write() as tx:
        for number, status in enumerate(statuses, 1):
            letter = {
                "digest": bytes([number]),
                "reason": "malformed_json",
                "detail": "",
                "first_seen_at": clock(),
                "last_seen_at": clock(),
                "attempts": 1,
                "origin": "http",
                "size": 1000,
                "body": b"x" * 1000,
                "status": status,
            }
            await tx.execute(insert(dead_letters).values(letter))
        rows = await tx.execute(select(dead_letters.c.id).order_by(dead_letters.c.id))
        await tx.execute(
            insert(dead_letter_history),
            [
                {
                    "dead_letter_id": row.id,
                    "at": clock(),
                    "actor": "ana",
                    "reason": "discarded",
                    "detail": "",
                    "before": "waiting",
                    "after": "discarded",
                }
                for row in rows
            ],
        )

    async def left_at(max_bytes: int) -> list[tuple[str, int]]:
        await bound_dead_letters(store, max_bytes)
        assert await measure_dead_letters(store) <= max_bytes
        found = await store.read(
            select(dead_letters.c.status, func.length(dead_letters.c.body).label("kept")).order_by(
                dead_letters.c.id
            )
        )
        return [(row.status, row.kept) for row in found]

    whole = 1000 + ROW_BYTES
    assert await left_at(5 * whole) == [(status, 1000) for status in statuses]
    waiting = ("waiting", 1000)
    assert await left_at(4 * whole) == [
        waiting,
        ("discarded", 0),
        ("replayed", 0),
        waiting,
        ("discarded", 1000),
    ]
    assert await left_at(2 * whole + 2 * ROW_BYTES) == [waiting, ("replayed", 0), waiting, ("discarded", 0)]
    assert await left_at(2 * whole) == [waiting, waiting]
    assert await left_at(whole) == [waiting]
    assert len(await store.read(select(dead_letter_history))) == 1


async def test_a_discarded_letter_whose_body_went_has_it_again_when_it_comes_again(
    store: Store, clock: FixedClock
) -> None:
    pipeline = Pipeline(store, metrics=Metrics(), clock=clock)
    bad = read_delivery(b"{}", EVENT_TYPE, origin="test", handle=None)
    await pipeline.ingest([bad])
    async with store.write() as tx:
        await tx.execute(dead_letters.update().values(status="discarded", body=b""))
    await pipeline.ingest([bad])
    (letter,) = await store.read(select(dead_letters))
    assert (letter.status, len(letter.body)) == ("waiting", letter.size)


async def test_a_bounded_store_s_look_drops_what_one_bad_publisher_sent(
    store: Store, clock: FixedClock
) -> None:
    pipeline, metrics = Pipeline(store, metrics=Metrics(), clock=clock), Metrics()
    before = await measure_store(store)
    for start in range(0, 300, 50):
        bad = [f"{number}, {'x' * 5000}".encode() for number in range(start, start + 50)]
        await pipeline.ingest([read_delivery(one, EVENT_TYPE, origin="test", handle=None) for one in bad])
    bound = 400_000
    keeper = RetentionKeeper(
        store,
        Retention(days=dict.fromkeys(ErrorSeverity, 90), max_bytes=bound),
        Pruner(store, "ada", clock=clock),
        metrics=metrics,
        clock=clock,
        sleep=no_sleep,
    )
    with capture_logs() as logs:
        await keeper.enforce()
    assert await measure_dead_letters(store) <= bound // DEAD_LETTERS_SHARE
    after = await measure_store(store)
    assert after.bytes - before.bytes < 2 * bound, "its space is the disk's again"
    (told,) = [one for one in logs if one["event"] == "retention.dead_letters_dropped"]
    dropped = metrics.registry.get_sample_value("faultwire_rows_pruned_total", {"table": "dead_letters"})
    assert told["waiting"] == dropped
    assert 250 < told["waiting"] < 300


async def no_sleep(_: float) -> None:
    return
