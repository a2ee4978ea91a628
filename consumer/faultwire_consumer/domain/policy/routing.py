"""Routing of notifications to the receivers of whoever an incident is assigned to. Pure."""

from fnmatch import fnmatchcase

from msgspec import Struct

from faultwire_consumer.domain.policy.policy import Policy


class Routing(Struct, frozen=True, kw_only=True):
    """Rules that tell an incident's owner first, and the owners of each receiver."""

    rules: frozenset[str] = frozenset()
    """Their names; of every other rule all receivers are told."""
    owners: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Receivers with the patterns of the people and teams whom they belong to."""

    def receivers_of(self, assignee: str) -> tuple[str, ...]:
        """Return the receivers of a person or team; none where no receiver names them."""
        return tuple(
            name for name, patterns in self.owners if any(fnmatchcase(assignee, one) for one in patterns)
        )


def routing_of(policy: Policy) -> Routing:
    """Return a policy's routing, empty where no rule asks for the owner."""
    rules = frozenset(rule.name for rule in policy.rules if rule.owner_first)
    owners = tuple((one.name, one.own.owners) for one in policy.receivers if one.own.owners)
    return Routing(rules=rules, owners=owners) if rules and owners else Routing()
