"""Merges of incidents as they were at the beginning of a rehearsal, also those that were undone since."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct
from sqlalchemy import or_, select

from faultwire_consumer.domain.incident import TransitionReason
from faultwire_consumer.domain.lifecycle.retelling import named_in, standing_after
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.rehearsal.acts import PASSAGE, passage_from, read_passages
from faultwire_consumer.store.rehearsal.chunk import chunks
from faultwire_consumer.store.schema.events import history, incidents

_HOPS: Final = 100
_MERGES: Final = (
    TransitionReason.MERGED.value,
    TransitionReason.MERGED_INTO.value,
    TransitionReason.UNMERGED.value,
)


class Family(Struct, frozen=True):
    """The merges of incidents: which are related, and what each was merged into at the beginning."""

    members: frozenset[int]
    into: Mapping[int, int]

    def holder_of(self, home: int) -> int:
        """Return the incident that had the fingerprints of an incident then; itself, if not merged."""
        at = home
        for _ in range(_HOPS):
            if at not in self.into:
                break
            at = self.into[at]
        return at


async def find_family(source: Store, ids: Collection[int], *, start: datetime) -> Family:
    """Follow merges in both directions, also those that were undone since.

    Args:
        source: the store with the history.
        ids: the incidents to begin with.
        start: the beginning of the rehearsed time.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    members, seen, left = set[int](), set[int](), set(ids)
    while left:
        related = set[int]()
        for chunk in chunks(sorted(left)):
            related |= await _related(source, chunk)
        members |= related
        seen |= left
        left = related - seen
    into: dict[int, int] = {}
    for chunk in chunks(sorted(members)):
        for one, passages in (await read_passages(source, chunk, before=start)).items():
            target = standing_after(passages).merged_into
            if target is not None:
                into[one] = target
    return Family(frozenset(members), into)


async def _related(source: Store, ids: Sequence[int]) -> set[int]:
    """Return the incidents of merges in which these took part, and these themselves where they did."""
    table = incidents.c
    related: set[int] = set()
    merged = select(table.id, table.merged_into).where(
        table.merged_into.is_not(None), or_(table.id.in_(ids), table.merged_into.in_(ids))
    )
    for row in await source.read(merged):
        related |= {row.id, row.merged_into}
    told = select(*PASSAGE).where(history.c.incident_id.in_(ids), history.c.reason.in_(_MERGES))
    for row in await source.read(told):
        related |= {row.incident_id, *named_in(passage_from(row))}
    return related
