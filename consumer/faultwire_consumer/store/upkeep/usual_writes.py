"""Writes that batches usually bring besides their events; PostgreSQL plans them before the first one."""

from typing import Final

from faultwire_consumer.store.audit.producers import HEARD
from faultwire_consumer.store.contract.pile import Shape
from faultwire_consumer.store.events.search_index import QUEUE, TEXTS
from faultwire_consumer.store.events.transition import HISTORY
from faultwire_consumer.store.outbox.enqueue import NOTIFICATIONS
from faultwire_consumer.store.outbox.pending import PENDING

USUAL_WRITES: Final[tuple[tuple[Shape, ...], ...]] = (
    (HISTORY, TEXTS, NOTIFICATIONS, HEARD),
    (HISTORY, TEXTS, PENDING, HEARD),
    (TEXTS, HEARD),
    (QUEUE, HEARD),
)
"""Of a first sight that is told at once, of one for a digest, of a known bug, and of a flood."""
