"""Fingerprints that events had when they came in, in place of those that they would get by this release."""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from faultwire_consumer.domain.fingerprint import VERSION
from faultwire_consumer.domain.grouping.material import Fingerprint
from faultwire_consumer.ingest.read.grouping import Grouped, Grouper
from faultwire_consumer.ingest.read.narrow import NarrowEvent


class PlayedEvent(Struct, frozen=True):
    """An event as it is played: its body, and the fingerprint under which it is stored."""

    event_id: str
    fingerprint: bytes
    title: str
    body: bytes


class StoredGroups(Grouper):
    """Groups the events of one batch as they were; every fingerprint is known to the scratch store."""

    def __init__(self) -> None:
        super().__init__(cache_bytes=0)
        self._of: dict[str, Grouped] = {}

    def use(self, batch: Iterable[PlayedEvent]) -> None:
        """Group these events from now on, and no others."""
        self._of = {
            one.event_id: Grouped(Fingerprint(one.fingerprint, one.fingerprint, (), VERSION), one.title, "")
            for one in batch
        }

    def group(self, event: NarrowEvent, stacks: Sequence[bytes] = ()) -> Grouped:
        """Return the group that an event had; of one that was not announced, this release's."""
        return self._of.get(event.id) or super().group(event, stacks)
