"""Queries that find a digest's sections in the list of incidents, as nearly as the language can say it."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from faultwire_consumer.domain.digest.facts import DigestSectionKind
from faultwire_consumer.domain.incident import Status
from faultwire_consumer.domain.query.edit import write_term
from faultwire_consumer.domain.query.query import Key, Pattern, Term, Trait, Value
from faultwire_consumer.domain.rules import Conditions
from faultwire_shared.event import Category

_VALUES_MAX: Final = 10
"""Values of one condition that a link names; with more of them the condition is left out."""
_VALUE_CHARACTERS: Final = 60
_UNSAYABLE: Final = re.compile(r"[?\[\]]")
"""Wildcards of rules that the language has not."""


def section_query(kind: DigestSectionKind, where: Conditions | None, since: datetime, until: datetime) -> str:
    """Return the query of a section: what a rule asks for, and what the section adds.

    A condition that the language cannot say is left out: the list is longer then, never shorter.
    """
    terms = [*_terms_of(kind, since, until), *(_conditions_of(where) if where is not None else ())]
    return " ".join(_write(term) for term in terms)


def _terms_of(kind: DigestSectionKind, since: datetime, until: datetime) -> Iterator[Term]:
    match kind:
        case DigestSectionKind.NEW:
            yield Term(Key.FIRST, (since,))
            yield Term(Key.FIRST, (until,), negated=True)
        case DigestSectionKind.CAME_BACK:
            yield Term(Key.REGRESSED, (since,))
        case DigestSectionKind.MUTED:
            yield Term(Key.IS, (Trait.MUTED,))
        case DigestSectionKind.ENDED:
            yield Term(Key.STATUS, (Status.RESOLVED,))
        case DigestSectionKind.NOBODYS:
            yield Term(Key.STATUS, (Status.OPEN,))
            yield Term(Key.IS, (Trait.UNASSIGNED,))
            yield Term(Key.IS, (Trait.MUTED,), negated=True)
            yield Term(Key.FIRST, (since,), negated=True)
            return
        case _:
            yield Term(Key.FIRST, (since,), negated=True)
    if kind is not DigestSectionKind.ENDED:
        yield Term(Key.LAST, (since,))


def _conditions_of(where: Conditions) -> Iterator[Term]:
    severities = sorted(where.severity, key=lambda one: one.rank)
    categories = sorted(Category(one) for one in where.category)
    texts = ((Key.SERVICE, where.service), (Key.CODE, where.code), (Key.ENVIRONMENT, where.environment))
    given: tuple[tuple[Key, list[Value]], ...] = (
        (Key.SEVERITY, list(severities)),
        (Key.CATEGORY, list(categories)),
        *((key, [_value_of(one) for one in values]) for key, values in texts if _is_sayable(values)),
    )
    yield from (Term(key, tuple(values)) for key, values in given if values)


def _is_sayable(values: tuple[str, ...]) -> bool:
    return len(values) <= _VALUES_MAX and all(_is_plain(one) for one in values)


def _is_plain(value: str) -> bool:
    """Return whether the language says the same by it; in quotes, which most texts need, a ``*`` is one."""
    if "*" in value:
        return re.fullmatch(r"[\w.@/+*-]{1,60}", value) is not None
    return len(value) <= _VALUE_CHARACTERS and not _UNSAYABLE.search(value)


def _value_of(value: str) -> Value:
    return Pattern(value) if "*" in value else value


def _write(term: Term) -> str:
    moments = [value for value in term.values if isinstance(value, datetime)]
    if not moments:
        return write_term(term)
    lead = "-" if term.negated else ""
    return f"{lead}{term.key}:{moments[0].replace(tzinfo=None, microsecond=0).isoformat()}Z"
