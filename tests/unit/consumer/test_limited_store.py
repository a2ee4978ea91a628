"""Operators' queries take turns, and nothing else waits for them."""

import asyncio
from typing import Any

from sqlalchemy import text
from tests.tools.waiting import until

from faultwire_consumer.store.limited import LimitedStore


class SlowStore:
    """A store whose queries end when they are told to."""

    name = "postgresql"

    def __init__(self) -> None:
        self.running = 0
        self.pinged = False
        self.may_end = asyncio.Event()

    async def read(self, statement: object) -> list[Any]:
        self.running += 1
        await self.may_end.wait()
        self.running -= 1
        return [statement]

    async def ping(self) -> None:
        self.pinged = True


async def test_queries_take_turns_and_a_ping_does_not_wait_for_one() -> None:
    slow = SlowStore()
    store = LimitedStore(slow, reads=2)  # type: ignore[arg-type]  # of a store it has what is asked here
    reads = [asyncio.create_task(store.read(text("SELECT 1"))) for _ in range(5)]

    async def are_two() -> bool:
        return slow.running == 2

    await until(are_two, "two queries run")
    await store.ping()
    assert slow.pinged
    assert slow.running == 2
    slow.may_end.set()
    assert len(await asyncio.gather(*reads)) == 5
