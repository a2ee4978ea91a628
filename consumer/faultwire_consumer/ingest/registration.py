"""Makes fingerprints known to the store before their events are stored, and limits new incidents."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from faultwire_consumer.domain.body_budget import BudgetSpent
from faultwire_consumer.domain.fingerprint import VERSION
from faultwire_consumer.domain.incident_limit import (
    NEW_INCIDENTS_PER_MINUTE,
    NEW_SERVICES_PER_MINUTE,
    OVERFLOW_CODE,
    OWN_SERVICE,
    SERVICES_TITLE,
    IncidentAdmission,
    IncidentBurst,
    admit,
    overflow_of,
    overflow_of_services,
    overflow_title,
)
from faultwire_consumer.ingest.body_budget import BodyBudget
from faultwire_consumer.ingest.read.candidate import Decoded
from faultwire_consumer.ingest.read.grouping import Grouped, earlier_key
from faultwire_consumer.store.contract.store import NewFingerprint, Place, Store
from faultwire_consumer.store.events.bodies import read_known
from faultwire_consumer.store.events.incidents import read_services
from faultwire_shared.logging.logs import get_logger

PLACES_MAX: Final = 200_000
SERVICES_MAX: Final = 200_000
BURSTS_MAX: Final = 10_000
"""Services and types whose new incidents are counted; the one counted longest ago is forgotten."""

log = get_logger(__name__)

Kind = tuple[str, str]
"""A service and an exception type."""


class _Services(Struct, frozen=True):
    """The services of a batch's new incidents: those that the store knows from now on, and those beyond."""

    known: frozenset[str] = frozenset()
    diverted: frozenset[str] = frozenset()
    admission: IncidentAdmission | None = None


class Registered(Struct, frozen=True):
    """A batch, what has to be registered in its own transaction, and the events that were diverted."""

    fresh: dict[str, Decoded]
    fingerprints: Sequence[NewFingerprint]
    """New ones, which the store has to know before the events are recorded."""
    places: Sequence[Place]
    overflowed: frozenset[str] = frozenset()
    """The events that went to an overflow incident."""
    admissions: Mapping[Kind, IncidentAdmission] = {}
    services: _Services = _Services()

    @property
    def has_news(self) -> bool:
        """True if anything has to be registered."""
        return bool(self.fingerprints or self.places)


class _Joined(Struct, frozen=True):
    """An incident that has the earlier key of a new fingerprint, and takes it over."""

    by: bytes
    spent: BudgetSpent


class Registration:
    """Asks the store for what this process does not know, and registers what the store does not know either.

    Each worker judges a burst on its own: several workers let that many times more incidents open.
    """

    def __init__(
        self, store: Store, budget: BodyBudget, *, per_minute: int = NEW_INCIDENTS_PER_MINUTE
    ) -> None:
        self._store = store
        self._budget = budget
        self._per_minute = per_minute
        # By their hashes: the texts are other people's, and 200,000 long ones would be 200 MiB. Places are
        # looked up with every batch, by Python's own hash: of that many, two have one once in 10**9 times.
        self._places: set[int] = set()
        self._services: set[bytes] = set()
        self._bursts: dict[bytes, IncidentBurst] = {}
        self._service_burst: IncidentBurst | None = None

    async def register(self, fresh: dict[str, Decoded], *, now: datetime) -> Registered:
        """Find out what a batch needs to have registered; after a restart the store is asked once for each.

        The caller registers it in the batch's transaction, and confirms it after the commit. What joins an
        incident that others may be counting in is registered here, in a commit of its own: inside the
        batch's transaction its lock on that incident would stand out of order.
        """
        firsts = _first_of_each(fresh.values())
        unknown = self._budget.unknown_in(firsts, now=now)
        if not unknown:
            return Registered(fresh, [], self._unseen(fresh.values()))
        known, joined = await self._look_up({key: firsts[key] for key in firsts if key in unknown})
        new = {key: event for key, event in firsts.items() if key in unknown and key not in known}
        await self._join({key: new.pop(key) for key in joined}, joined, now=now)
        services = await self._admit_services(new, now)
        unnamed = frozenset(key for key, event in new.items() if event.row.service in services.diverted)
        admissions, diverted = self._judge(
            {key: event for key, event in new.items() if key not in unnamed}, now
        )
        diverted |= unnamed
        overflowed: frozenset[str] = frozenset()
        if diverted:
            fresh, overflowed = _overflow(fresh, diverted, unnamed)
            overflows = _first_of_each(fresh[event_id] for event_id in overflowed)
            asked = await read_known(self._store, self._budget.unknown_in(overflows, now=now))
            known |= {key: one.spent for key, one in asked.items()}
            new = {key: event for key, event in new.items() if key not in diverted}
            unasked = self._budget.unknown_in(overflows, now=now) - set(asked)
            new |= {key: event for key, event in overflows.items() if key in unasked}
        self._budget.learn(known, now=now)
        return Registered(
            fresh,
            [event.new_fingerprint() for event in new.values()],
            self._unseen(fresh.values()),
            overflowed,
            admissions,
            services,
        )

    def confirm(self, registered: Registered, *, now: datetime) -> None:
        """Remember what a committed batch has registered."""
        opened = [new.fingerprint for new in registered.fingerprints]
        # Another batch may have spent of them meanwhile, which is better known than nothing.
        self._budget.learn({key: BudgetSpent() for key in self._budget.unknown_in(opened, now=now)}, now=now)
        self._learn_places(registered.places)
        self._confirm(registered.admissions)
        self._confirm_services(registered.services)

    def forget(self) -> None:
        """Ask the store again for everything."""
        self._budget.forget()
        self._places.clear()
        self._services.clear()

    def _unseen(self, candidates: Iterable[Decoded]) -> list[Place]:
        places = {event.place for event in candidates}
        return sorted(place for place in places if hash(place) not in self._places)

    def _learn_places(self, places: Iterable[Place]) -> None:
        if len(self._places) > PLACES_MAX:
            self._places.clear()
        self._places.update(map(hash, places))

    async def _look_up(
        self, unknown: Mapping[bytes, Decoded]
    ) -> tuple[dict[bytes, BudgetSpent], dict[bytes, _Joined]]:
        """Find what the store knows, and the incidents that the version before opened for what it does not.

        Both in one question: most of what a worker does not know is new.
        """
        keys = {key: by for key, event in unknown.items() if (by := earlier_key(event.row.doc)) is not None}
        found = await read_known(self._store, {*unknown, *keys.values()})
        known = {key: found[key].spent for key in unknown if key in found}
        earlier = {key: one for key, one in found.items() if one.version < VERSION}
        return known, {
            key: _Joined(by, earlier[by].spent.copy())
            for key, by in keys.items()
            if by in earlier and key not in known
        }

    async def _join(
        self, joining: Mapping[bytes, Decoded], joined: Mapping[bytes, _Joined], *, now: datetime
    ) -> None:
        if not joining:
            return
        places = self._unseen(joining.values())
        await self._store.register(
            [event.new_fingerprint(joined[key].by) for key, event in joining.items()], places
        )
        self._budget.learn({key: one.spent for key, one in joined.items()}, now=now)
        self._learn_places(places)

    async def _admit_services(self, new: Mapping[bytes, Decoded], now: datetime) -> _Services:
        """Let services that the store never heard of have incidents while the minute has room."""
        unknown = {event.row.service: None for event in new.values()}  # in the order in which they came
        unknown = {one: None for one in unknown if _key(one, "") not in self._services}
        if not unknown:
            return _Services()
        known = await read_services(self._store, list(unknown))
        fresh = [one for one in unknown if one not in known]
        admission = admit(self._service_burst, len(fresh), limit=NEW_SERVICES_PER_MINUTE, now=now)
        opened, diverted = fresh[: admission.opened], frozenset(fresh[admission.opened :])
        return _Services(frozenset((*known, *opened)), diverted, admission)

    def _confirm_services(self, services: _Services) -> None:
        if len(self._services) > SERVICES_MAX:
            self._services.clear()
        self._services.update(_key(one, "") for one in services.known)
        if services.admission is None:
            return
        self._service_burst = services.admission.burst
        if services.admission.begins:
            log.warning("service.overflowed", services_a_minute=NEW_SERVICES_PER_MINUTE)

    def _judge(
        self, new: Mapping[bytes, Decoded], now: datetime
    ) -> tuple[dict[Kind, IncidentAdmission], frozenset[bytes]]:
        wanted: dict[Kind, list[bytes]] = {}
        for key, event in new.items():
            wanted.setdefault((event.row.service, event.type), []).append(key)
        admissions = {
            kind: admit(self._bursts.get(_key(*kind)), len(keys), limit=self._per_minute, now=now)
            for kind, keys in wanted.items()
        }
        return admissions, frozenset(
            key for kind, keys in wanted.items() for key in keys[admissions[kind].opened :]
        )

    def _confirm(self, admissions: Mapping[Kind, IncidentAdmission]) -> None:
        for (service, kind), admission in admissions.items():
            self._bursts.pop(_key(service, kind), None)
            self._bursts[_key(service, kind)] = admission.burst
            if admission.begins:
                log.warning(
                    "incident.overflowed", service=service, type=kind, incidents_a_minute=self._per_minute
                )
        while len(self._bursts) > BURSTS_MAX:
            del self._bursts[next(iter(self._bursts))]


def _key(one: str, other: str, more: bytes = b"") -> bytes:
    """Return a key of 16 bytes for two texts of any length."""
    text = f"{len(one)}\n{one}{other}".encode()
    return hashlib.blake2b(text, digest_size=16, key=more).digest()


def _first_of_each(candidates: Iterable[Decoded]) -> dict[bytes, Decoded]:
    """Return the first event of each fingerprint: it gives its name to an incident that it opens."""
    firsts: dict[bytes, Decoded] = {}
    for candidate in candidates:
        firsts.setdefault(candidate.row.fingerprint, candidate)
    return firsts


def _overflow(
    fresh: Mapping[str, Decoded], diverted: frozenset[bytes], unnamed: frozenset[bytes]
) -> tuple[dict[str, Decoded], frozenset[str]]:
    """Return the events as they are stored, and the ids of those that were diverted."""
    overflowed = {
        event_id: _unnamed(event) if event.row.fingerprint in unnamed else _diverted(event)
        for event_id, event in fresh.items()
        if event.row.fingerprint in diverted
    }
    return {**fresh, **overflowed}, frozenset(overflowed)


def _diverted(event: Decoded) -> Decoded:
    fingerprint = overflow_of(event.row.service, event.type)
    grouped = Grouped(fingerprint, overflow_title(event.type), "")
    row = replace(event.row, fingerprint=fingerprint.key)
    return replace(event, row=row, grouped=grouped, code=OVERFLOW_CODE)


def _unnamed(event: Decoded) -> Decoded:
    """Divert an event of a service beyond those that may be new; the event itself keeps its name."""
    fingerprint = overflow_of_services()
    grouped = Grouped(fingerprint, SERVICES_TITLE, "")
    row = replace(event.row, fingerprint=fingerprint.key)
    return replace(event, row=row, grouped=grouped, code=OVERFLOW_CODE, opens_as=OWN_SERVICE)
