"""The store's own ceiling: the worker's transactions, one after the other, from events decoded before.

``python store_ceiling.py DATABASE_URL COUNT`` stores them and then waits to be ended, so that its figures can
be read. They are the worker's statements under its default policy; no broker, no decoding, one connection.
"""

import asyncio
import sys
from datetime import UTC, datetime
from itertools import islice

from tests.tools.event import bodies

from faultwire_consumer.domain.outcome import Stored
from faultwire_consumer.ingest.pipeline import Pipeline
from faultwire_consumer.ingest.read.candidate import Candidate, candidates_of
from faultwire_consumer.ingest.read.delivery import read_delivery
from faultwire_consumer.ingest.read.grouping import Grouper
from faultwire_consumer.ingest.read.scrubbing import BodyScrubber
from faultwire_consumer.ingest.receive.lane import BATCH_EVENTS
from faultwire_consumer.ingest.rules.evaluation import Evaluator
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.notify.policy_file import read_policy
from faultwire_consumer.store.engine import open_store


def decoded(count: int) -> list[list[Candidate]]:
    """Batches as the pipeline has them when it turns to the store."""
    grouper, scrubber, now = Grouper(), BodyScrubber(), datetime.now(UTC)
    candidates = (
        candidate
        for body in bodies(count, now=now)
        for candidate in candidates_of(
            read_delivery(body, None, origin="memory", handle=None),
            grouper=grouper,
            scrubber=scrubber,
            received_at=now,
        )
    )
    batches = []
    while batch := list(islice(candidates, BATCH_EVENTS)):
        batches.append(batch)
    return batches


async def main(database_url: str, count: int) -> None:
    batches = decoded(count)
    store = await open_store(database_url)
    policy = await asyncio.to_thread(read_policy, None)
    pipeline = Pipeline(store, metrics=Metrics(), evaluator=Evaluator(policy))
    for batch in batches:
        outcomes = await pipeline._store_known(batch)
        assert all(isinstance(one, Stored) for one in outcomes)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
