"""The broker's count of a message's deliveries, as far as it is the broker's."""

from collections.abc import Mapping
from typing import Any, Final

COUNT: Final = "x-delivery-count"
ACQUIRED: Final = "x-acquired-count"
COUNT_MAX: Final = 1000
"""The broker gives a message up after twenty; a larger number is somebody's invention."""


def attempts_of(headers: Mapping[str, Any], *, redelivered: bool) -> int:
    """Return the number of a delivery, from 1.

    Any publisher may write these headers, a shovel carries them from another queue, and RabbitMQ passes them
    on: at a first delivery they mean nothing. At a later one the broker has written its own, apart from 4.3,
    which leaves a publisher's count alone after a return, but counts how often it gave the message away.
    """
    if not redelivered:
        return 1
    returned = _number(headers.get(COUNT))
    acquired = headers.get(ACQUIRED)
    return 1 + (returned if acquired is None else min(returned, _number(acquired)))


def _number(value: object) -> int:
    return min(max(value, 0), COUNT_MAX) if isinstance(value, int) else 0
