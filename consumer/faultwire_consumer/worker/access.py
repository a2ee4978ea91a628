"""The ways by which a worker knows who asks, by its setting ``access``."""

from collections.abc import Sequence

from faultwire_consumer.config import WorkerConfig
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.web.access.bearer import BearerRecogniser, TokenBook
from faultwire_consumer.web.access.guard import Recogniser
from faultwire_consumer.web.access.open_door import open_door, trusting_door
from faultwire_shared.clock import Clock


def recognisers_of(config: WorkerConfig, store: Store, *, clock: Clock) -> Sequence[Recogniser]:
    """Put the recognisers in their order: what somebody shows comes before what anybody may.

    Args:
        config: says how people are known.
        store: the primary.
        clock: tells what has expired.
    """
    recognisers: list[Recogniser] = [BearerRecogniser(TokenBook(store, clock=clock))]
    if config.is_open:
        recognisers.append(open_door if config.loopback_only else trusting_door)
    return recognisers
