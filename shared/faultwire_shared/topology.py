"""The broker's exchanges, queues and bindings as data: the one place for their names and arguments.

Tried on RabbitMQ 3.10; the arguments keep their meaning on 4.x by its documentation.
"""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct, field

from faultwire_shared.event import Category, ErrorSeverity, Lane

EVENTS: Final = "faultwire.events"
UNROUTED: Final = "faultwire.unrouted"
DEAD: Final = "faultwire.dead"

EVENT_ID_HEADER: Final = "faultwire-event-id"

QUEUE_MESSAGES: Final = 2_000_000
QUEUE_BYTES: Final = 4 * 1024**3
DELIVERY_LIMIT: Final = 20
# -1 loses the message at its first return on 3.10, and a missing limit means 20 on 4.x.
DELIVERY_LIMIT_NONE: Final = 1_000_000

_ROUTING_KEY_BYTES: Final = 255


class Exchange(Struct, frozen=True, kw_only=True):
    """A durable exchange."""

    name: str
    type: str
    internal: bool = False
    arguments: Mapping[str, Any] = field(default_factory=dict)


class Queue(Struct, frozen=True, kw_only=True):
    """A durable queue."""

    name: str
    arguments: Mapping[str, Any]


class Binding(Struct, frozen=True, kw_only=True):
    """A binding of a queue to an exchange, by a key."""

    exchange: str
    queue: str
    key: str = ""


class Topology(Struct, frozen=True, kw_only=True):
    """Everything that must exist at the broker before the first event."""

    exchanges: tuple[Exchange, ...]
    queues: tuple[Queue, ...]
    bindings: tuple[Binding, ...]


def queue_of(lane: Lane) -> str:
    """Return the queue of a lane."""
    return f"faultwire.{lane}"


def routing_key(severity: ErrorSeverity, category: Category, service: str) -> str:
    """Return ``event.<severity>.<category>.<service>``; dots in the name become underscores."""
    prefix = f"event.{severity}.{category}."
    return prefix + _word_of(service, prefix)


def report_key(service: str) -> str:
    """Return ``producer.<service>``, for a producer's report."""
    return "producer." + _word_of(service, "producer.")


def names_service(key: str, service: str) -> bool:
    """Return True if a routing key's last word is that service's, as the two functions above write it."""
    prefix, dot, word = key.rpartition(".")
    return word == _word_of(service, prefix + dot)


def _word_of(service: str, prefix: str) -> str:
    name = service.replace(".", "_").encode(errors="replace")
    return name[: _ROUTING_KEY_BYTES - len(prefix.encode(errors="replace"))].decode(errors="ignore")


def _lane_queue(lane: Lane) -> Queue:
    return Queue(
        name=queue_of(lane),
        arguments={
            "x-queue-type": "quorum",
            "x-overflow": "reject-publish",
            "x-max-length": QUEUE_MESSAGES,
            "x-max-length-bytes": QUEUE_BYTES,
            "x-delivery-limit": DELIVERY_LIMIT,
            "x-dead-letter-exchange": DEAD,
            "x-dead-letter-strategy": "at-least-once",
        },
    )


TOPOLOGY: Final = Topology(
    exchanges=(
        Exchange(name=UNROUTED, type="fanout", internal=True),
        Exchange(name=EVENTS, type="topic", arguments={"alternate-exchange": UNROUTED}),
        Exchange(name=DEAD, type="fanout"),
    ),
    queues=(
        *(_lane_queue(lane) for lane in Lane),
        Queue(
            name=DEAD,
            arguments={
                "x-queue-type": "quorum",
                "x-overflow": "reject-publish",
                "x-delivery-limit": DELIVERY_LIMIT_NONE,
            },
        ),
    ),
    bindings=(
        *(
            Binding(exchange=EVENTS, queue=queue_of(lane), key=f"event.{lane}.#")
            for lane in (Lane.CRITICAL, Lane.HIGH)
        ),
        *(
            Binding(exchange=EVENTS, queue=queue_of(Lane.ROUTINE), key=key)
            for key in ("event.medium.#", "event.low.#", "producer.#")
        ),
        # A message that no binding matches is stored nevertheless: there the body's severity decides.
        Binding(exchange=UNROUTED, queue=queue_of(Lane.ROUTINE)),
        Binding(exchange=DEAD, queue=DEAD),
    ),
)
