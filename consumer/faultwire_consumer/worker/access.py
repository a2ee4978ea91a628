"""The ways by which a worker knows who asks, by its setting ``access``."""

from collections.abc import Sequence

from faultwire_consumer.config import WorkerConfig
from faultwire_consumer.web.access.guard import Recogniser
from faultwire_consumer.web.access.open_door import open_door, trusting_door


def recognisers_of(config: WorkerConfig) -> Sequence[Recogniser]:
    """Put the recognisers in their order: what somebody shows comes before what anybody may."""
    recognisers: list[Recogniser] = []
    if config.is_open:
        recognisers.append(open_door if config.loopback_only else trusting_door)
    return recognisers
