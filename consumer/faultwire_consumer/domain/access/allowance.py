"""The services of which a delivery may bring events, as its sender is known."""

from msgspec import Struct

from faultwire_consumer.domain.access.token import may_speak_for
from faultwire_shared.topology import names_service


class Allowance(Struct, frozen=True, kw_only=True):
    """The bounds of one delivery: each can only take away from what anybody may."""

    sender: str = ""
    """The token that it was sent by, as in ``token:billing``; empty where none was needed."""
    services: tuple[str, ...] = ()
    """The token's patterns; none: of every service."""
    routing_key: str | None = None
    """The key whose last word has to be the service's, for the broker let nobody else use it."""

    def covers(self, service: str) -> bool:
        """Return True if it may bring events of that service."""
        by_key = self.routing_key is None or names_service(self.routing_key, service)
        return by_key and may_speak_for(self.services, service)

    def spell_refusal(self, service: str) -> str:
        """Say why it may bring none of that service."""
        if not may_speak_for(self.services, service):
            return f"{self.sender or 'its sender'} may bring no events of {service[:200]!r} at $.service"
        return (
            f"the routing key {self.routing_key!r} is not one of the service {service[:200]!r} at $.service"
        )
