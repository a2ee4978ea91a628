"""Reads rules of absence: which service is missed when it sends nothing for how long."""

from collections.abc import Set as AbstractSet
from datetime import timedelta
from typing import Final

from faultwire_consumer.domain.notification import NotificationReason
from faultwire_consumer.domain.policy.table import Table
from faultwire_consumer.domain.rules import AbsenceTerm, Conditions, Rule
from faultwire_consumer.domain.telling.absence import CODE, RULE_TAG

ABSENCE_ON: Final = frozenset((NotificationReason.NEW, NotificationReason.REGRESSED))
"""Reasons of a rule of absence: the incident that tells of it is opened, and comes back."""
ABSENT_MIN: Final = timedelta(minutes=2)
ABSENT_MAX: Final = timedelta(days=7)
OWN_SERVICE: Final = "faultwire"


def absent_where(name: str) -> Conditions:
    """Return the conditions that the incidents of a rule of absence meet."""
    return Conditions(service=(OWN_SERVICE,), code=(CODE,), tags=((RULE_TAG, (name,)),))


def read_absence(table: Table) -> AbsenceTerm | None:
    """Read the silence that a rule does not allow; None if it allows any.

    Raises:
        PolicyError: the duration is not valid.
    """
    after = table.duration("absent_for", ABSENT_MIN, ABSENT_MAX)
    return None if after is None else AbsenceTerm(table.texts("service"), after)


def check_absence(table: Table, where: Conditions, on: AbstractSet[NotificationReason], rule: Rule) -> None:
    """Make sure that a rule of absence asks for services, and for nothing else.

    Raises:
        PolicyError: it does not.
    """
    if rule.absence is None:
        return
    if not rule.absence.services:
        raise table.error("absent_for", 'needs the services that should report, as in service = "billing"')
    if where != Conditions(service=rule.absence.services):
        raise table.error("absent_for", "is for rules that ask for service alone: what is absent has no more")
    if on or rule.threshold is not None:
        raise table.error("absent_for", "has no on and counts nothing: it tells when a service goes quiet")
    if rule.auto_resolve_days is not None:
        raise table.error("auto_resolve_days", "an absence ends when the service reports again")
