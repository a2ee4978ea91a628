"""Reads conditions: what a rule, or an inhibition, asks of events and incidents."""

from datetime import timedelta
from typing import Final

from faultwire_consumer.domain.policy.table import Table
from faultwire_consumer.domain.rules import PATTERNS, Conditions, Unless
from faultwire_consumer.domain.telling.inhibition import ASKED_OF_INCIDENTS, SAME, Inhibition
from faultwire_shared.event import Category, ErrorSeverity

SEEN_WITHIN: Final = timedelta(hours=1)
SEEN_WITHIN_MIN: Final = timedelta(minutes=1)
SEEN_WITHIN_MAX: Final = timedelta(days=7)
_ASKED: Final = f"ask for {', '.join(ASKED_OF_INCIDENTS[:-1])} or {ASKED_OF_INCIDENTS[-1]}"


def read_conditions(table: Table) -> Conditions:
    """Read every condition that events can meet.

    Raises:
        PolicyError: one of them is not valid.
    """
    tags = tuple((name, values) for name, values in table.text_lists("tags"))
    return Conditions(
        severity=frozenset(table.enums("severity", ErrorSeverity)),
        category=frozenset(one.value for one in table.enums("category", Category)),
        tags=tags,
        **{name: table.texts(name) for name in PATTERNS},
    )


def read_unless(table: Table) -> Unless | None:
    """Read a rule's `unless`; None if it has none.

    Raises:
        PolicyError: something in it is not valid.
    """
    values = table.take("unless")
    if values is None:
        return None
    inner = table.inner("unless", values)
    unless = Unless(
        when=_of_incidents(inner),
        seen_within=_seen_within(inner),
        also_critical=inner.switch("also_critical"),
    )
    inner.finish()
    if unless.when == Conditions():
        raise table.error("unless", f"unless everything would stop everything; {_ASKED}")
    return unless


def read_inhibition(table: Table) -> Inhibition:
    """Read one inhibition of the file.

    Raises:
        PolicyError: something in it is not valid.
    """
    when, mutes = _side(table, "when"), _side(table, "mutes")
    inhibition = Inhibition(
        name=table.name,
        when=_of_incidents(when),
        mutes=read_conditions(mutes),
        same=table.texts("same", SAME),
        seen_within=_seen_within(table),
        also_critical=table.switch("also_critical"),
    )
    for side in (when, mutes, table):
        side.finish()
    if inhibition.when == Conditions():
        raise table.error("when", f"what explains others is told by its kind; {_ASKED}")
    if inhibition.mutes == Conditions() and not inhibition.same:
        raise table.error("mutes", 'it would stop everything; give it conditions, or same = ["service"]')
    return inhibition


def _side(table: Table, key: str) -> Table:
    values = table.take(key)
    if values is None:
        raise table.missing(key, f'conditions, as in {key} = {{ service = "database" }}')
    return table.inner(key, values)


def _of_incidents(table: Table) -> Conditions:
    """Read the conditions that an incident as a whole can meet."""
    return Conditions(
        severity=frozenset(table.enums("severity", ErrorSeverity)),
        category=frozenset(one.value for one in table.enums("category", Category)),
        service=table.texts("service"),
        code=table.texts("code"),
    )


def _seen_within(table: Table) -> timedelta:
    return table.duration("seen_within", SEEN_WITHIN_MIN, SEEN_WITHIN_MAX) or SEEN_WITHIN
