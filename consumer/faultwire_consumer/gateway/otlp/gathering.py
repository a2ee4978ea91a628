"""Gathers the events of one request: each failure once, and all of them within bounds."""

from collections import Counter
from datetime import UTC, date

from msgspec import Struct
from msgspec.structs import replace

from faultwire_consumer.gateway.otlp.failure import OtlpFailure, event_of
from faultwire_consumer.gateway.otlp.identity import digest_of, event_id
from faultwire_consumer.gateway.otlp.limit import EVENT_BYTES_IN_ALL, RECORDS
from faultwire_consumer.gateway.otlp.origin import RecordOrigin
from faultwire_consumer.gateway.reading import ReadEvent
from faultwire_shared.event import Sdk


class _Kept(Struct, frozen=True):
    event: ReadEvent
    day: date
    rank: tuple[int, bool]


class Gathering:
    """All that was found in a request so far."""

    def __init__(self) -> None:
        self.dropped: Counter[str] = Counter()
        """Records that are not stored, by kind: on purpose."""
        self.unreadable = 0
        self.too_many = 0
        self.foreign = 0
        """Records of services that the token may not bring events of."""
        self.foreign_service = ""
        self._kept: dict[str, _Kept] = {}
        self.sdk: Sdk | None = None
        """The library that sent them."""
        self._times: Counter[str] = Counter()
        self._records = 0
        self._bytes = 0

    @property
    def events(self) -> list[ReadEvent]:
        """The events, in the order in which their failures were first met."""
        return [kept.event for kept in self._kept.values()]

    def admit(self, origin: RecordOrigin, record: object | None) -> bool:
        """Count a record, and return True if it is to be looked at."""
        self._records += 1
        self.sdk = self.sdk or origin.sdk
        if self._records > RECORDS or self._is_full:
            self.too_many += 1
        elif origin.service is None:
            self.foreign += 1
            self.foreign_service = self.foreign_service or origin.named
        elif record is None:
            self.unreadable += 1
        else:
            return True
        return False

    def add(self, failure: OtlpFailure, origin: RecordOrigin, service: str) -> None:
        """Take a failure; of one that is there already, the better telling under the earlier day."""
        digest = failure.digest if failure.is_shared else self._nth(failure.digest)
        day, known = failure.moment.astimezone(UTC).date(), self._kept.get(digest)
        if known is not None:
            self.dropped["otlp_same_failure"] += 1
            day = min(day, known.day)
        if known is None and self._is_full:
            self.too_many += 1
            return
        if known is not None and failure.rank <= known.rank:
            event = _moved(known.event, event_id(day, digest))
            self._kept[digest] = _Kept(event, day, known.rank)
            return
        event = event_of(failure, origin, service=service, event_id=event_id(day, digest))
        self._bytes += len(event.body)
        self._kept[digest] = _Kept(event, day, failure.rank)

    @property
    def _is_full(self) -> bool:
        return len(self._kept) >= RECORDS or self._bytes > EVENT_BYTES_IN_ALL

    def _nth(self, digest: str) -> str:
        """Tell equal records of one request apart by their order, which is the same when it is sent again."""
        self._times[digest] += 1
        times = self._times[digest]
        return digest if times == 1 else digest_of(digest.encode(), str(times).encode())


def _moved(event: ReadEvent, new_id: str) -> ReadEvent:
    """Return an event under another day; its id stands first in its body."""
    if event.id == new_id:
        return event
    return replace(event, id=new_id, body=event.body.replace(event.id.encode(), new_id.encode(), 1))
