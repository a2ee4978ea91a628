"""A verb that needs to be told nothing more, as an operator asks for it."""

from datetime import datetime

from faultwire_consumer.domain.incident import Verb
from faultwire_consumer.domain.lifecycle.arguments import ARGUMENTLESS
from faultwire_consumer.domain.lifecycle.decision import Act
from faultwire_consumer.incident_actions import act_on
from faultwire_consumer.store.contract.store import Store


async def change_status(store: Store, incident_id: int, verb: Verb, *, actor: str, now: datetime) -> None:
    """Acknowledge, resolve or reopen."""
    await act_on(store, incident_id, Act(arguments=ARGUMENTLESS[verb], actor=actor, at=now))
