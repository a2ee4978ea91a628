"""The interface of every store; two databases implement it, and one test suite checks both."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import date, datetime
from typing import Any, Final, Protocol

from msgspec import Struct, field
from sqlalchemy import Executable, Row

from faultwire_consumer.domain.body_budget import BODIES_PER_INCIDENT, Body, ceiling_of
from faultwire_consumer.domain.incident import Touched
from faultwire_consumer.store.contract.pile import Pile, UsualWrites
from faultwire_consumer.store.contract.prepared import Prepared
from faultwire_shared.event import ErrorSeverity, Scalar
from faultwire_shared.failure import ConfigurationError, UnavailableError


class StoreUnavailableError(UnavailableError):
    """The database cannot be used now; nothing was written, and trying again may help."""


class StoreRefusedError(StoreUnavailableError):
    """The database lets nobody in by this address, or has no such name: until somebody changes that."""


class StoreTakenError(StoreUnavailableError):
    """The SQLite file belongs to another worker that is running."""


class StoreBusyError(StoreUnavailableError):
    """Something temporary was in the way (another transaction, a broken connection); try again at once.

    If a connection broke in the middle of a commit, the commit may have succeeded. The next try finds
    out, since storing what is stored already changes nothing.
    """


class StoreSlowError(StoreUnavailableError):
    """The rows took longer than a statement may; fewer of them may succeed."""


class RowsRejectedError(Exception):
    """The database rejects the contents of some of these rows; smaller batches find out which."""


class UnknownFingerprintsError(Exception):
    """Some events' fingerprints are not registered; nothing was written. Register them, then try again."""


class MigrationError(ConfigurationError):
    """The database's schema is not the one that this version needs; the text says what to run."""


class RightsError(ConfigurationError):
    """The database's role may not do what a worker does; the text says which statement lets it."""


class EventRow(Struct, frozen=True, kw_only=True):
    """One event as the store keeps it; ``occurred_day`` is the quarantine's where the event belongs there."""

    occurred_day: date
    event_id: str
    fingerprint: bytes
    occurred_at: datetime
    received_at: datetime
    severity: ErrorSeverity
    service: str
    environment: str
    release: str | None
    count: int
    producer_id: str | None
    sequence: int | None
    doc: bytes
    body: Body = Body.KEPT
    """The place where ``doc`` is to be kept."""
    last_at: datetime | None = None
    """Of an event that stands for several errors, the time of the last."""
    host: str | None = None
    """The machine that it names; like user and tags for the figures alone."""
    user: str | None = None
    """The key of its user, which is stored as a hash only."""
    tags: Mapping[str, Scalar] = field(default_factory=dict)

    @property
    def ended_at(self) -> datetime:
        """Return the time of the last error that the event stands for; its incident is judged by it."""
        return self.occurred_at if self.last_at is None else max(self.occurred_at, self.last_at)


class NewFingerprint(Struct, frozen=True, kw_only=True):
    """A fingerprint seen for the first time, and the incident it would open."""

    fingerprint: bytes
    version: int
    digest: bytes
    parts_json: str
    service: str
    title: str
    culprit: str
    severity: ErrorSeverity
    category: str
    code: str
    occurred_at: datetime
    search_text: str
    """The text that the incident is searched by; see `faultwire_consumer.domain.search_text`."""
    joins: bytes | None = None
    """A fingerprint whose incident this one belongs to; where it is not registered, an incident is opened."""


class Place(Struct, frozen=True, order=True):
    """A fingerprint in an environment and a release (empty: not named), for the filters."""

    fingerprint: bytes
    environment: str
    release: str


BODIES_MAX: Final = ceiling_of(BODIES_PER_INCIDENT)
"""The most bodies that the events of one incident have, unless configured otherwise."""


class Counted(Struct, frozen=True):
    """The result of a batch: the ids that were stored before, and the incidents to decide on."""

    duplicates: frozenset[str]
    touched: tuple[Touched, ...]
    cut: frozenset[str] = frozenset()
    """Events whose body was to be kept and was not, because other workers had spent the budget."""
    bodies: Mapping[bytes, int] = field(default_factory=dict)
    """An incident's number of bodies now, by one of its fingerprints, where that may be news."""


class Transaction(Protocol):
    """An open transaction; leaving it by an exception rolls back."""

    @property
    def dialect(self) -> str:
        """The kind of database: ``sqlite`` or ``postgresql``."""
        ...

    @property
    def pile(self) -> Pile | None:
        """The writes that are sent together, where round trips cost; None where there are none."""
        ...

    async def execute(
        self, statement: Executable, parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    ) -> Sequence[Row[Any]]:
        """Run one SQLAlchemy Core statement, and return its rows if it has any."""
        ...

    async def register(self, fingerprints: Sequence[NewFingerprint], places: Sequence[Place]) -> None:
        """Register fingerprints and places as a store does, but as a part of this transaction.

        First of all that a transaction does: workers that register one fingerprint wait here for each
        other, and must hold nothing else meanwhile.
        """
        ...

    async def record_events(
        self, rows: Sequence[EventRow], growth: Sequence[int] = (), *, bodies_max: int = BODIES_MAX
    ) -> Counted:
        """Insert the events, and count exactly those that were not there before.

        No two rows may have the same id. Incidents are returned where a decision may be due: first
        sight, a status that is not open, an episode behind the first, a severity that rose, or a
        count that passed one of ``growth``, which is ascending.

        Bodies go where the rows say, but an incident's events never have more than ``bodies_max``,
        however many workers keep bodies at once.

        Raises:
            UnknownFingerprintsError: a fingerprint was never registered, or was deleted.
        """
        ...


class StoreReader(Protocol):
    """Something that answers queries."""

    @property
    def name(self) -> str:
        """The kind of database: ``sqlite`` or ``postgresql``."""
        ...

    async def read(self, query: Executable | Prepared) -> Sequence[Row[Any]]:
        """Run one query outside any transaction.

        Raises:
            StoreUnavailableError: the database cannot be used now.
        """
        ...


class Store(StoreReader, Protocol):
    """A database with faultwire's schema in it."""

    async def warm(self, usual: UsualWrites = ()) -> None:
        """Prepare what the first events would wait for; never raises if the database is unavailable.

        Args:
            usual: what batches usually write besides their events.
        """
        ...

    def write(self) -> AbstractAsyncContextManager[Transaction]:
        """Begin a transaction, which commits when it is left without an exception.

        Raises:
            StoreUnavailableError: the database cannot be used now.
            RowsRejectedError: the database rejects the contents of the rows.
        """
        ...

    def reading(self) -> AbstractAsyncContextManager[StoreReader]:
        """Return a reader for several queries, one after the other: half the cost of as many `read`.

        While it is held, the store itself is not read by the same task: of those that wait for a
        connection inside one, all could wait for each other.

        Raises:
            StoreUnavailableError: the database cannot be used now.
        """
        ...

    async def register(self, fingerprints: Sequence[NewFingerprint], places: Sequence[Place]) -> None:
        """Register fingerprints, each with an incident that it opens or joins, in a commit of its own.

        Idempotent, also between workers: the second one finds the first one's incident.

        Raises:
            StoreUnavailableError: the database cannot be used now.
            RowsRejectedError: the database rejects their contents.
        """
        ...

    async def prepare_days(self, days: frozenset[date]) -> None:
        """Make room for events of these days, if the database keeps days apart.

        Raises:
            StoreUnavailableError: the database cannot be used now.
        """
        ...

    async def run_alone(self, statement: str, *, seconds: float) -> None:
        """Run one maintenance statement outside any transaction, as ``VACUUM`` requires.

        Args:
            statement: a trusted text, without anything that came from outside.
            seconds: the time that it may take, where the database can enforce that.

        Raises:
            StoreUnavailableError: the database cannot be used now, or the statement took too long.
        """
        ...

    async def ping(self) -> None:
        """Check that the database answers.

        Raises:
            StoreUnavailableError: it does not answer.
        """
        ...

    async def close(self) -> None:
        """Close every connection."""
        ...
