"""An operator's verb, as a test asks for it."""

from datetime import datetime

from faultwire_consumer.actions.verbs import act_on
from faultwire_consumer.domain.incident import Verb
from faultwire_consumer.domain.lifecycle.arguments import ARGUMENTLESS, Arguments
from faultwire_consumer.domain.lifecycle.decision import Act
from faultwire_consumer.store.contract.store import Store


async def change_status(store: Store, incident_id: int, verb: Verb, *, actor: str, now: datetime) -> None:
    """Do what needs to be told nothing more: acknowledge, resolve, reopen, unmute, unassign."""
    await act_with(store, incident_id, ARGUMENTLESS[verb], actor=actor, now=now)


async def act_with(
    store: Store, incident_id: int, arguments: Arguments, *, actor: str = "ana", now: datetime
) -> None:
    """Do what arguments say."""
    await act_on(store, incident_id, Act(arguments=arguments, actor=actor, at=now))
