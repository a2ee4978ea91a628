"""Advice on a policy that can be used, and yet may not do what is meant: nothing of it is an error."""

import tomllib
from collections.abc import Iterable, Iterator
from itertools import combinations
from typing import Final

from msgspec import Struct

from faultwire_consumer.domain.notification import NotificationReason
from faultwire_consumer.domain.policy.policy import Policy
from faultwire_consumer.domain.policy.receiver.network import EVERYWHERE, KEY
from faultwire_consumer.domain.policy.table import line_of
from faultwire_consumer.domain.rules import PATTERNS, Conditions, InDigest, Rule
from faultwire_shared.event import ErrorSeverity

ADVICE_MAX: Final = 50


class Advice(Struct, frozen=True, order=True):
    """One thing that may not be meant, with the line that says it."""

    line: int
    text: str


def advice_on(policy: Policy, text: str) -> list[Advice]:
    """List what may not be meant in a policy, by line; `ADVICE_MAX` at most.

    Args:
        policy: as it was read.
        text: what it was read from, for the lines. Rules that are not in it are the shipped ones.
    """
    own = tomllib.loads(text).get("rules", {})
    found = [*_of_receivers(policy, text), *_of_owners(policy, text), *_of_rules(policy, text)]
    found += [
        Advice(line_of(text, ("rules", name), ""), said) for name, said in _twice(policy.rules) if name in own
    ]
    return sorted(found)[:ADVICE_MAX]


def _of_receivers(policy: Policy, text: str) -> Iterator[Advice]:
    told = {name for rule in policy.rules for name in rule.receivers}
    asks = any(rule.owner_first for rule in policy.rules)
    for one in policy.receivers:
        path = ("receivers", one.name)
        if one.name not in told and not (asks and one.own.owners):
            yield Advice(line_of(text, path, ""), f"receivers.{one.name}: no rule tells it anything")
        if getattr(one.way, KEY, ()) == EVERYWHERE:
            said = f'{KEY} = true lets it into every inside network; name them, as in ["10.0.0.0/8"]'
            yield Advice(line_of(text, path, KEY), f"receivers.{one.name}: {said}")


def _of_owners(policy: Policy, text: str) -> Iterator[Advice]:
    """Find a rule that asks for owners where no receiver has one, and the other way round."""
    has_owners = any(one.own.owners for one in policy.receivers)
    asking = [rule.name for rule in policy.rules if rule.owner_first]
    for name in asking if not has_owners else ():
        line = line_of(text, ("rules", name), "owner_first")
        yield Advice(
            line, f"rules.{name}: no receiver says whose it is, by owners =, so its own are told always"
        )
    for one in policy.receivers if not asking else ():
        if one.own.owners:
            line = line_of(text, ("receivers", one.name), "owners")
            yield Advice(line, f"receivers.{one.name}: no rule asks for owners, by owner_first = true")


def _of_rules(policy: Policy, text: str) -> Iterator[Advice]:
    for rule in policy.rules:
        for key, why in _never(rule, policy):
            line = line_of(text, ("rules", rule.name), key)
            yield Advice(line, f"rules.{rule.name}: {why}, so nothing can match")


def _never(rule: Rule, policy: Policy) -> Iterator[tuple[str, str]]:
    """Yield the keys for which a rule can never tell anybody, with the reason."""
    if rule.on == {NotificationReason.GROWTH} and not policy.growth:
        yield "on", "it is on growth alone, and the file's growth is empty"
    if rule.on == {NotificationReason.SEVERITY_ROSE} and rule.where.severity == {ErrorSeverity.LOW}:
        yield "severity", "no severity rises to low"
    with_module = [one for one in rule.where.type if "." in one]
    if with_module and len(with_module) == len(rule.where.type):
        yield "type", f"a type is without its module, as {with_module[0].rsplit('.', 1)[-1]}"


def _twice(rules: Iterable[Rule]) -> Iterator[tuple[str, str]]:
    """Yield each rule that tells a receiver what an earlier rule tells it too."""
    for first, second in combinations(rules, 2):
        both = [name for name in second.receivers if name in first.receivers]
        on = sorted(reason.value for reason in first.on & second.on)
        same_kind = isinstance(first.sending, InDigest) == isinstance(second.sending, InDigest)
        if both and on and same_kind and _is_wider(first.where, second.where):
            said = f"{', '.join(both[:5])} {'is' if len(both) == 1 else 'are'} told of {', '.join(on)} twice"
            yield second.name, f"rules.{second.name}: {said}, as rule {first.name} says the same"


def _is_wider(one: Conditions, other: Conditions) -> bool:
    """Return whether one of them holds wherever the other does; only equal and missing conditions tell."""
    pairs = [
        (getattr(one, name), getattr(other, name)) for name in ("severity", "category", "tags", *PATTERNS)
    ]
    return all(first in ((), frozenset(), second) for first, second in pairs) or all(
        second in ((), frozenset(), first) for first, second in pairs
    )
