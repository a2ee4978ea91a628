"""Matchers of a silence: as people and programs write them, and as the conditions that they are."""

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec
from msgspec import Struct

from faultwire_consumer.domain.rules import PATTERNS, Conditions, Facts
from faultwire_shared.event import Category, ErrorSeverity, Scalar

VALUES_MAX: Final = 20
"""Values of one matcher, and tags."""
VALUE_CHARACTERS: Final = 200
FACT_TAGS_MAX: Final = 50
"""Tags of an event that its notifications know, of at most `VALUE_CHARACTERS` each."""


class Matchers(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The notifications that a silence hides: all that are given must hold, and any value of one will do.

    All but severity and category take the patterns of rules: ``*``, ``?`` and ``[…]``.
    """

    severity: tuple[ErrorSeverity, ...] = ()
    category: tuple[Category, ...] = ()
    service: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    release: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    type: tuple[str, ...] = ()
    tags: dict[str, tuple[str, ...]] = {}


class KnownFacts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Facts that a notification keeps of the event that it tells of: the event may be gone."""

    category: str = ""
    service: str = ""
    environment: str = ""
    release: str = ""
    code: str = ""
    type: str = ""
    tags: dict[str, Scalar] = {}


_decoder: Final = msgspec.json.Decoder(KnownFacts)
_matchers: Final = msgspec.json.Decoder(Matchers)


def conditions_of(matchers: Matchers) -> Conditions:
    """Return matchers as conditions, such as rules have."""
    return Conditions(
        severity=frozenset(matchers.severity),
        category=frozenset(one.value for one in matchers.category),
        tags=tuple((name, values) for name, values in matchers.tags.items() if values),
        **{name: getattr(matchers, name) for name in PATTERNS},
    )


def encode_matchers(matchers: Matchers) -> str:
    """Return matchers as the store keeps them."""
    return msgspec.json.encode(matchers).decode()


def read_matchers(text: str) -> Matchers:
    """Return the matchers that the store keeps as a text.

    Raises:
        msgspec.MsgspecError: a later release wrote them, with words that this one does not know.
    """
    return _matchers.decode(text)


def encode_facts(facts: Facts) -> str:
    """Return an event's facts as its notifications keep them, bounded; each has a severity of its own."""
    known = KnownFacts(
        category=facts.category,
        **{name: getattr(facts, name)[:VALUE_CHARACTERS] for name in PATTERNS},
        tags=dict(_bounded_tags(facts.tags)),
    )
    return msgspec.json.encode(known).decode()


def read_facts(text: str, severity: ErrorSeverity) -> Facts:
    """Return the facts that a notification keeps as a text, with its severity."""
    known = _decoder.decode(text)
    return Facts(severity=severity, **{name: getattr(known, name) for name in KnownFacts.__struct_fields__})


def describe_matchers(matchers: Matchers) -> str:
    """Say what matchers ask for: ``service billing-*; severity high or critical``."""
    return "; ".join(f"{name} {' or '.join(values)}" for name, values in listed(matchers))


def listed(matchers: Matchers) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each matcher that is given by its name, with its values."""
    for name in (*PATTERNS, "severity", "category"):
        values = tuple(str(one) for one in getattr(matchers, name))
        if values:
            yield name, values
    yield from ((f"tag {name}", values) for name, values in matchers.tags.items())


def _bounded_tags(tags: Mapping[str, Scalar]) -> Iterator[tuple[str, Scalar]]:
    for name, value in list(tags.items())[:FACT_TAGS_MAX]:
        yield name[:VALUE_CHARACTERS], value[:VALUE_CHARACTERS] if isinstance(value, str) else value
