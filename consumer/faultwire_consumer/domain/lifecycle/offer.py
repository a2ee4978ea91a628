"""The verbs that are offered for an incident: those that its state takes, and that may change something."""

from typing import Final

from faultwire_consumer.domain.incident import Verb
from faultwire_consumer.domain.lifecycle.table import TABLE, CellStep, LifeState

_STATUS_VERBS: Final = frozenset({Verb.ACKNOWLEDGE, Verb.RESOLVE, Verb.REOPEN})
"""Said again, they would say what is so already."""


def offered_verbs(state: LifeState, *, assignee: str | None = None) -> tuple[Verb, ...]:
    """Return the verbs to offer, in their order; nobody can be relieved of what nobody has."""
    return tuple(verb for verb in Verb if _is_offered(verb, state, assignee))


def _is_offered(verb: Verb, state: LifeState, assignee: str | None) -> bool:
    cell = TABLE[state, verb]
    if not isinstance(cell, CellStep) or (verb is Verb.UNASSIGN and assignee is None):
        return False
    return cell.after is not state or verb not in _STATUS_VERBS
