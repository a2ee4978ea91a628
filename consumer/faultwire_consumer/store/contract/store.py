"""What every store can do, in the words of the pipeline; two databases fulfil it, one suite checks both."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import date, datetime
from typing import Any, Final, Protocol

from msgspec import Struct, field
from sqlalchemy import Executable, Row

from faultwire_consumer.domain.body_budget import BODIES_PER_INCIDENT, Body, ceiling_of
from faultwire_consumer.domain.incident import Touched
from faultwire_shared.event import ErrorSeverity


class StoreUnavailableError(Exception):
    """The database does not answer, or not now; nothing was written and trying again may help."""


class StoreTakenError(StoreUnavailableError):
    """The SQLite file belongs to a worker that is running."""


class StoreBusyError(StoreUnavailableError):
    """Something passing was in the way (another transaction, a connection that broke); try again at once.

    Where a connection broke in the middle of a commit, it is open what was stored: the next try
    finds out, for what is stored already changes nothing.
    """


class StoreSlowError(StoreUnavailableError):
    """The rows did not get through in the time that a statement has; fewer of them may."""


class RowsRejectedError(Exception):
    """The database refuses something in these rows for what they hold; smaller batches find which."""


class UnknownFingerprintsError(Exception):
    """Events of fingerprints that are not registered; nothing was written. Register them, then try again."""


class MigrationError(Exception):
    """The database's schema is not the one this version needs; the text says what to run."""


class EventRow(Struct, frozen=True, kw_only=True):
    """One event as the store keeps it. ``occurred_day`` is already the quarantine's where it must be."""

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
    """Where ``doc`` is to be kept."""


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
    """What the incident is searched by, see `faultwire_consumer.domain.search_text`."""


class Place(Struct, frozen=True, order=True):
    """A fingerprint in an environment and a release (empty: none named), for the filters."""

    fingerprint: bytes
    environment: str
    release: str


BODIES_MOST: Final = ceiling_of(BODIES_PER_INCIDENT)
"""How many bodies the events of one incident have, unless configured otherwise."""


class Counted(Struct, frozen=True):
    """What came of a batch: the ids that were stored before, and the incidents to judge."""

    duplicates: frozenset[str]
    touched: tuple[Touched, ...]
    cut: frozenset[str] = frozenset()
    """Events whose body was to be kept and was not, for other workers had spent the budget."""
    bodies: Mapping[bytes, int] = field(default_factory=dict)
    """How many an incident has now, by one of its fingerprints, where that may be news."""


class Transaction(Protocol):
    """Everything between begin and commit; leaving it by an exception rolls back."""

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        ...

    async def execute(
        self, statement: Executable, parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    ) -> Sequence[Row[Any]]:
        """Run one SQLAlchemy Core statement; its rows, if it gives any."""
        ...

    async def record_events(
        self, rows: Sequence[EventRow], growth: Sequence[int] = (), *, bodies_most: int = BODIES_MOST
    ) -> Counted:
        """Insert the events, and count exactly those that were not there before.

        Rows come without two of one id. Incidents come back where a decision may be due: first
        sight, a status that is not open, a severity that rose, or a count that passed one of
        ``growth``, which is ascending.

        Bodies go where the rows say, but never so that an incident's events have more than
        ``bodies_most``, however many workers keep some at once.

        Raises:
            UnknownFingerprintsError: a fingerprint was never registered, or is gone.
        """
        ...


class Store(Protocol):
    """A database with faultwire's schema in it."""

    @property
    def name(self) -> str:
        """``sqlite`` or ``postgresql``."""
        ...

    async def warm(self) -> None:
        """Have ready what the first events would wait for; never raises for a database that is away."""
        ...

    def write(self) -> AbstractAsyncContextManager[Transaction]:
        """A transaction that commits when it is left without an exception.

        Raises:
            StoreUnavailableError: the database does not answer, or not now.
            RowsRejectedError: the database refuses what the rows hold.
        """
        ...

    async def read(self, statement: Executable) -> Sequence[Row[Any]]:
        """Run one query outside any transaction of ours.

        Raises:
            StoreUnavailableError: the database does not answer, or not now.
        """
        ...

    async def register(self, fingerprints: Sequence[NewFingerprint], places: Sequence[Place]) -> None:
        """Make fingerprints known, each with an incident of count 0, in a commit of its own.

        Idempotent, also between workers: who comes second finds the first one's incident.

        Raises:
            StoreUnavailableError: the database does not answer, or not now.
            RowsRejectedError: the database refuses what they hold.
        """
        ...

    async def prepare_days(self, days: frozenset[date]) -> None:
        """Make room for events of these days, where the database keeps days apart.

        Raises:
            StoreUnavailableError: the database does not answer, or not now.
        """
        ...

    async def run_alone(self, statement: str, *, seconds: float) -> None:
        """Run one statement of maintenance outside any transaction, as ``VACUUM`` wants it.

        Args:
            statement: our own words, with nothing in them that came from outside.
            seconds: so long it may take, where the database has a watch.

        Raises:
            StoreUnavailableError: the database does not answer, or not now, or it took too long.
        """
        ...

    async def ping(self) -> None:
        """Ask the database for a sign of life.

        Raises:
            StoreUnavailableError: it gives none.
        """
        ...

    async def close(self) -> None:
        """Give every connection back."""
        ...
