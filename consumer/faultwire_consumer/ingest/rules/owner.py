"""Sends a batch's notifications to the receivers of whoever their incidents are assigned to."""

from collections.abc import Iterable

from msgspec.structs import replace

from faultwire_consumer.domain.policy.routing import Routing
from faultwire_consumer.store.contract.store import Transaction
from faultwire_consumer.store.outbox.enqueue import NewNotification
from faultwire_consumer.store.outbox.owners import read_assignees


async def route_to_owners(
    tx: Transaction, routing: Routing, notifications: Iterable[NewNotification]
) -> list[NewNotification]:
    """Return notifications as they are to be written; those of other rules are as they were.

    Args:
        tx: the batch's transaction, which has its incidents locked.
        routing: the policy's.
        notifications: of the batch, one for each of a rule's own receivers.
    """
    made = list(notifications)
    asked = {one.incident_id for one in made if one.rule in routing.rules and one.incident_id is not None}
    assignees = await read_assignees(tx, sorted(asked)) if asked else {}
    routed: dict[str, NewNotification] = {}
    for one in made:
        assignee = assignees.get(one.incident_id or 0) if one.rule in routing.rules else None
        owners = routing.receivers_of(assignee) if assignee is not None else ()
        for receiver in owners or (one.receiver,):
            key = one.idempotency_key.removesuffix(one.receiver) + receiver
            routed[key] = replace(one, receiver=receiver, idempotency_key=key)
    return list(routed.values())
