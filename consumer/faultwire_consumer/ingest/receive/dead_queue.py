"""Drains the broker's own dead letters into the table, where operators find them.

A message in ``faultwire.dead`` was delivered up to the limit and never settled: its body may be
a good event that came at a bad time. So it is kept whole, as one row for each message.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from msgspec import Struct

from faultwire_consumer.domain.outcome import BrokerReason, DeadLettered, Outcome
from faultwire_consumer.ingest.bisect import BisectingStore
from faultwire_consumer.ingest.read.audit import heard_of_dead
from faultwire_consumer.ingest.read.dead_letter import (
    bare_letter,
    report_dead_letters,
    scrubbed_letter,
    with_oddity,
)
from faultwire_consumer.ingest.read.delivery import Delivery
from faultwire_consumer.ingest.read.scrubbing import BodyScrubber
from faultwire_consumer.ingest.receive.amqp import AmqpReceiver
from faultwire_consumer.ingest.receive.settlement import BrokerHandle
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.store.audit.producers import record_heard
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.dead_letters.record import NewDeadLetter, record_dead_letters
from faultwire_shared.clock import Clock
from faultwire_shared.text import storable
from faultwire_shared.topology import DEAD, DELIVERY_LIMIT

DEAD_LANE: Final = "dead"
_TEXT_CHARACTERS: Final = 200
_REASONS: Final = {
    "delivery_limit": BrokerReason.DELIVERY_LIMIT,
    "rejected": BrokerReason.REJECTED,
    "expired": BrokerReason.EXPIRED,
    "maxlen": BrokerReason.QUEUE_FULL,
}


class Death(Struct, frozen=True):
    """Cause, place and number of a message's deaths, by the broker's headers."""

    reason: BrokerReason
    queue: str
    detail: str
    attempts: int


class DeadDelivery(Delivery, kw_only=True):
    """A message of the dead letters' queue."""

    death: Death

    @property
    def is_suspect(self) -> bool:
        """Always False: a dead letter is not taken apart, so it cannot kill a worker."""
        return False


class DeadQueueReceiver(AmqpReceiver):
    """Consumes ``faultwire.dead``."""

    def __init__(self, broker_url: str, *, metrics: Metrics) -> None:
        super().__init__(DEAD_LANE, broker_url, metrics=metrics)

    def read(
        self,
        body: bytes,
        message_type: str | None,
        headers: Mapping[str, Any],
        handle: BrokerHandle,
        *,
        attempts: int = 1,
    ) -> Delivery:
        """Read a message with the broker's record of its death; it is not taken apart."""
        death = death_in(headers)
        return DeadDelivery(body, message_type, death.queue, handle, death.attempts, [], None, death=death)


def death_in(headers: Mapping[str, Any]) -> Death:
    """Read ``x-death``, whose first entry is the newest; a publisher may have written anything there."""
    entries = headers.get("x-death")
    newest = entries[0] if isinstance(entries, list) and entries else {}
    newest = newest if isinstance(newest, Mapping) else {}
    given_reason = _text(newest.get("reason") or headers.get("x-first-death-reason"))
    queue = _text(newest.get("queue") or headers.get("x-first-death-queue")) or DEAD
    count = newest.get("count")
    reason = _REASONS.get(given_reason, BrokerReason.UNKNOWN)
    deaths = min(count, 1_000_000) if isinstance(count, int) and count > 0 else 1
    limit = reason is BrokerReason.DELIVERY_LIMIT
    keys = newest.get("routing-keys")
    key = _text(keys[0]) if isinstance(keys, list) and keys else ""
    detail = f"{queue} gave it up ({given_reason or 'no reason'})"
    return Death(
        reason=reason,
        queue=queue,
        detail=f"{detail}, routing key {key}" if key else detail,
        attempts=deaths * (DELIVERY_LIMIT + 1) if limit else deaths,
    )


class DeadQueue:
    """Keeps a batch of the broker's dead letters in one transaction; ack comes after its commit."""

    def __init__(self, store: Store, *, metrics: Metrics, clock: Clock) -> None:
        self._store = store
        self._metrics = metrics
        self._clock = clock
        self._scrubber = BodyScrubber()
        self._bisecting: BisectingStore[NewDeadLetter] = BisectingStore(self._record, bare_letter)

    async def ingest(self, deliveries: Sequence[Delivery]) -> list[list[Outcome]]:
        """Commit the batch as dead letters; a message that comes again changes nothing."""
        now = self._clock()
        dead_letters = [_dead_letter_of(delivery, self._scrubber, now) for delivery in deliveries]
        outcomes = await self._bisecting.store(dead_letters)
        return [[outcome] for outcome in outcomes]

    async def _record(self, dead_letters: Sequence[NewDeadLetter]) -> list[Outcome]:
        bodies = [dead_letter.body for dead_letter in dead_letters]
        async with self._store.write() as tx:
            news = await record_heard(tx, heard_of_dead(bodies), now=self._clock())
            await record_dead_letters(tx, dead_letters, counts_attempts=False)
        self._metrics.count_ignored(news.ignored)
        report_dead_letters(dead_letters, metrics=self._metrics)
        return [
            DeadLettered(BrokerReason(letter.reason), letter.detail, letter.event_id)
            for letter in dead_letters
        ]


def _dead_letter_of(delivery: Delivery, scrubber: BodyScrubber, now: datetime) -> NewDeadLetter:
    death = _death(delivery)
    return scrubbed_letter(
        NewDeadLetter(
            body=delivery.body,
            reason=death.reason,
            detail=with_oddity(death.detail, delivery),
            event_id=None,  # found once the body is scrubbed
            origin=death.queue,
            message_type=delivery.message_type,
            attempts=death.attempts,
            at=now,
            size=delivery.size,
        ),
        scrubber,
    )


def _death(delivery: Delivery) -> Death:
    return delivery.death if isinstance(delivery, DeadDelivery) else death_in({})


def _text(value: object) -> str:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return storable(value[:_TEXT_CHARACTERS]) if isinstance(value, str) else ""
