"""Users of an incident by name, as its newest kept events name them."""

from typing import Any, Final

from msgspec import Struct
from sqlalchemy import Select, and_, func, select

from faultwire_consumer.domain.searched import USER
from faultwire_consumer.store.contract.prepared import prepared
from faultwire_consumer.store.contract.store import StoreReader
from faultwire_consumer.store.events.figures.reading import ValueCount
from faultwire_consumer.store.schema.events import fingerprints
from faultwire_consumer.store.schema.search import event_texts, event_values

SAMPLED: Final = 200
"""The newest kept events of an incident whose users are counted."""
SHOWN: Final = 3


class PeopleNamed(Struct, frozen=True):
    """The users that occur most among some events, and the most events that were looked at."""

    users: tuple[ValueCount, ...]
    sampled: int = SAMPLED


async def list_people(store: StoreReader, incident_id: int) -> PeopleNamed:
    """List the users whom an incident's newest kept events name most often.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    rows = await store.read(select_people(incident_id))
    return PeopleNamed(tuple(ValueCount(row.value, int(row.total)) for row in rows))


@prepared
def select_people(incident_id: int) -> Select[Any]:
    """Select users by their number of events among an incident's newest kept ones.

    A user may have several names, an id and an address: the first one counts.
    """
    newest = (
        select(event_texts.c.id)
        .join_from(fingerprints, event_texts, event_texts.c.fingerprint == fingerprints.c.fingerprint)
        .where(fingerprints.c.incident_id == incident_id)
        .order_by(event_texts.c.occurred_at.desc())
        .limit(SAMPLED)
        .subquery("newest")
    )
    first = (
        select(event_values.c.text_id, func.min(event_values.c.number).label("number"))
        .join_from(newest, event_values, event_values.c.text_id == newest.c.id)
        .where(event_values.c.name == USER)
        .group_by(event_values.c.text_id)
        .subquery("first")
    )
    same = and_(event_values.c.text_id == first.c.text_id, event_values.c.number == first.c.number)
    total = func.count()
    return (
        select(event_values.c.value, total.label("total"))
        .join_from(first, event_values, same)
        .group_by(event_values.c.value)
        .order_by(total.desc(), event_values.c.value)
        .limit(SHOWN)
    )
