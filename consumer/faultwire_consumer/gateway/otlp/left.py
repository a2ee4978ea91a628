"""Attributes of which those that have a place of their own are taken away, so that the others are context."""

from collections.abc import Mapping

from faultwire_consumer.gateway.otlp.record import Attributes
from faultwire_consumer.gateway.otlp.value import text_of


class Left:
    """The rest of the attributes of a resource, a record or an event."""

    def __init__(self, *attributes: Mapping[str, object]) -> None:
        self.others: Attributes = {}
        for held in attributes:
            self.others.update(held)
        self.others.pop("", None)

    def take(self, *names: str) -> str:
        """Take an attribute that has had several names, as text; empty if there is none."""
        found = [text for name in names if (text := text_of(self.others.pop(name, None)))]
        return found[0] if found else ""
