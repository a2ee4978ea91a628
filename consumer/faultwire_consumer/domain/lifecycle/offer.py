"""The verbs that are offered for an incident: those that its state takes, and that may change something."""

from typing import Final

from faultwire_consumer.domain.incident import Verb
from faultwire_consumer.domain.lifecycle.table import TABLE, CellStep, LifeState

_STATUS_VERBS: Final = frozenset({Verb.ACKNOWLEDGE, Verb.RESOLVE, Verb.REOPEN})
"""Said again, they would say what is so already."""


def offered_verbs(
    state: LifeState, *, is_assigned: bool = False, is_linked: bool = False
) -> tuple[Verb, ...]:
    """Return the verbs to offer, in their order; what nobody has, and no issue, cannot be taken away."""
    missing = {Verb.UNASSIGN: not is_assigned, Verb.UNLINK: not is_linked}
    return tuple(verb for verb in Verb if _may_change(verb, state) and not missing.get(verb, False))


def _may_change(verb: Verb, state: LifeState) -> bool:
    cell = TABLE[state, verb]
    return isinstance(cell, CellStep) and (cell.after is not state or verb not in _STATUS_VERBS)
