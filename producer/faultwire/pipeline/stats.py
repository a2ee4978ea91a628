"""A manager's work so far, as figures that add up."""

from collections.abc import Mapping

from msgspec import Struct


class Stats(Struct, frozen=True, kw_only=True):
    """Figures of one manager with a broker URL.

    ``handled + adopted = confirmed + spooled + everything lost + buffered + collapsed``
    """

    handled: int
    confirmed: int
    spooled: int
    """On disk and not confirmed yet."""
    adopted: int
    """Events that processes of this service left on disk when they died, and that are published here."""
    refused: int
    """Of ``lost``, what the broker or the worker will never take."""
    lost: Mapping[str, int]
    buffered: int
    collapsed: int = 0
    """Errors that were counted into an event of the same burst."""
    processor_failures: int
