"""A receiver that is the worker's own log."""

from msgspec import Struct

from faultwire_consumer.domain.policy.table import Table


class Log(Struct, frozen=True):
    """Writes each notification into the log."""


def read_log(_: Table) -> Log:
    """Read what a receiver of this type has of its own: nothing."""
    return Log()
