"""Storms of notifications: ten thousand incidents are a dozen messages, a hundred thousand are told once.

`FAULTWIRE_TEST_NOTIFICATIONS` is how many notifications the dispatchers side by side are given.
"""

import asyncio
import os
import time
from collections import Counter
from typing import Final

import pytest
from sqlalchemy import func, select
from tests.contract.test_dispatcher import Bench
from tests.tools.clock import FixedClock

from faultwire_consumer.domain.notification import NotificationKind, NotificationReason
from faultwire_consumer.domain.policy.policy import Policy
from faultwire_consumer.domain.policy.text import parse_policy
from faultwire_consumer.notify.message import json_of, message_of
from faultwire_consumer.notify.policy_file import shipped_text
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.outbox.enqueue import NewNotification, enqueue
from faultwire_consumer.store.outbox.queries import NotificationFilter, list_notifications
from faultwire_consumer.store.schema.notify import outbox
from faultwire_shared.event import ErrorSeverity

INCIDENTS: Final = 10_000
NOTIFICATIONS: Final = int(os.environ.get("FAULTWIRE_TEST_NOTIFICATIONS", "100000"))
RECEIVERS: Final = 20
WRITERS: Final = 4
BATCH: Final = 500

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(900),
    pytest.mark.may_block("a zone's file is read once"),
    pytest.mark.patient("ten thousand rows take a moment"),
]


def policy_of(receivers: int) -> Policy:
    """The shipped rules for so many receivers."""
    text = "".join(f'[receivers.r{number}]\ntype = "log"\n' for number in range(receivers))
    return parse_policy(text, shipped=shipped_text())


async def carried_by(store: Store, number: int) -> set[int]:
    """The incidents that a list of what a summary carries leads to, page by page."""
    found, cursor = set[int](), None
    while True:
        wanted = NotificationFilter(carrier=number)
        page = await list_notifications(store, wanted, limit=500, cursor=cursor)
        found |= {one.incident_id for one in page.rows if one.incident_id is not None}
        assert {one.carrier_id for one in page.rows} <= {number}
        if page.next_cursor is None:
            return found
        cursor = page.next_cursor


@pytest.mark.parametrize("severity", ["critical", "high"])
async def test_ten_thousand_new_incidents_in_a_minute_are_a_dozen_messages_that_lead_to_all_of_them(
    store: Store, clock: FixedClock, severity: str
) -> None:
    bench = Bench(store, clock, policy=policy_of(1), new_per_minute=INCIDENTS)
    claiming = 0.0
    for start in range(0, INCIDENTS, BATCH):
        kinds = [f"kind {number}" for number in range(start, start + BATCH)]
        await bench.occur(*kinds, severity=severity, service=f"service-{start % 7}")
        clock.advance(60 * BATCH / INCIDENTS)
        began = time.perf_counter()
        await bench.dispatcher.run_once()
        claiming += time.perf_counter() - began
    for _ in range(6):
        began = time.perf_counter()
        await bench.turn(60)
        claiming += time.perf_counter() - began
    messages = bench.sender.received
    bound = 13 if severity == "critical" else 1
    assert len(messages) <= bound
    told = {one.id for message in messages for one in message.incidents}
    numbers = [message.number for message in messages if message.number is not None]
    reached = {int(name.removeprefix("INC-")) for name in told}
    for number in numbers:
        reached |= await carried_by(store, number)
    assert len(reached) == INCIDENTS
    sizes = [len(json_of(message)) for message in messages]
    texts = [len(message_of(message).text) for message in messages]
    assert max(sizes) < 400_000
    assert max(texts) < 100_000
    ((left,),) = await store.read(select(func.count()).select_from(outbox).where(outbox.c.state != "sent"))
    reminders = INCIDENTS if severity == "critical" else 0
    assert left == reminders
    print(f"\n{severity}, {store.name}: {len(messages)} messages, claimed and sent in {claiming:.1f} s")


async def test_critical_ones_come_first_in_a_storm_of_everything(store: Store, clock: FixedClock) -> None:
    bench = Bench(store, clock, policy=policy_of(1), new_per_minute=INCIDENTS)
    for number in range(4):
        await bench.occur(*(f"high {number} {one}" for one in range(BATCH)), severity="high")
    await bench.occur(*(f"critical {one}" for one in range(30)))
    await bench.turn()
    assert {message.severity for message in bench.sender.received} == {ErrorSeverity.CRITICAL}
    assert sum(len(message.incidents) for message in bench.sender.received) == 30
    await bench.turn(240)
    assert bench.sender.received[-1].more_count == 1_000


async def test_of_a_hundred_thousand_notifications_by_four_workers_and_two_dispatchers_none_is_told_twice(
    store: Store, clock: FixedClock
) -> None:
    bench = Bench(store, clock, policy=policy_of(RECEIVERS), new_per_minute=INCIDENTS)
    await bench.occur(*(f"kind {number}" for number in range(100)), severity="low")
    per_receiver = NOTIFICATIONS // RECEIVERS

    async def write(writer: int) -> None:
        for start in range(writer * BATCH, per_receiver, WRITERS * BATCH):
            for receiver in range(RECEIVERS):
                numbers = range(start, min(start + BATCH, per_receiver))
                async with store.write() as tx:
                    await enqueue(tx, [_notification(clock, number, f"r{receiver}") for number in numbers])

    dispatchers = [bench.another(), bench.another()]
    writing = asyncio.gather(*(write(number) for number in range(WRITERS)))
    while not writing.done():
        await asyncio.gather(*(one.run_once() for one in dispatchers))
        clock.advance(10)
    await writing
    for _ in range(5):
        clock.advance(61)
        await asyncio.gather(*(one.run_once() for one in dispatchers))
    rows = await store.read(
        select(outbox.c.state, func.count().label("total"))
        .where(outbox.c.rule == "x")
        .group_by(outbox.c.state)
    )
    assert {row.state: row.total for row in rows} == {"sent": per_receiver * RECEIVERS}
    keys = [key for sender in bench.senders.values() for key in sender.keys]
    assert max(Counter(keys).values()) == 1
    for sender in bench.senders.values():
        singles = [one for one in sender.received if one.kind is NotificationKind.INCIDENT]
        assert len(sender.received) < per_receiver / 10, "most are told together"
        assert singles


def _notification(clock: FixedClock, number: int, receiver: str) -> NewNotification:
    return NewNotification(
        idempotency_key=f"x:{number}:{receiver}",
        receiver=receiver,
        rule="x",
        reason=NotificationReason.NEW,
        incident_id=number % 100 + 1,
        severity=ErrorSeverity.CRITICAL,
        urgent=True,
        created_at=clock(),
        due_at=clock(),
    )
