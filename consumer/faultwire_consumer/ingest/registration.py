"""Makes fingerprints known to the store before their events are stored, and limits new incidents."""

import hashlib
from collections.abc import Iterable, Mapping
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
from faultwire_consumer.store.contract.store import Place, Store
from faultwire_consumer.store.events.bodies import read_budgets
from faultwire_consumer.store.events.incidents import read_services
from faultwire_shared.logging.logs import get_logger

PLACES_MAX: Final = 200_000
SERVICES_MAX: Final = 200_000
BURSTS_MAX: Final = 10_000
"""Services and types whose new incidents are counted; the one counted longest ago is forgotten."""

log = get_logger(__name__)

Kind = tuple[str, str]
"""A service and an exception type."""


class Registered(Struct, frozen=True):
    """A batch whose fingerprints the store knows, and the events that went to an overflow incident."""

    fresh: dict[str, Decoded]
    overflowed: frozenset[str] = frozenset()


class Joined(Struct, frozen=True):
    """An incident that has the earlier key of a new fingerprint, and takes it over."""

    by: bytes
    spent: BudgetSpent


class _Services(Struct, frozen=True):
    """The services of a batch's new incidents: those that the store knows from now on, and those beyond."""

    known: frozenset[str] = frozenset()
    diverted: frozenset[str] = frozenset()
    admission: IncidentAdmission | None = None


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
        """Make a batch's fingerprints known; after a restart the store is asked once for each."""
        firsts = _first_of_each(fresh.values())
        unknown = self._budget.unknown_in(firsts, now=now)
        if not unknown:
            await self._store_all({}, {}, {}, self._unseen(fresh.values()), now=now)
            return Registered(fresh)
        spent = await read_budgets(self._store, unknown)
        new = {key: event for key, event in firsts.items() if key in unknown and key not in spent}
        joined = await self._find_earlier(new)
        opening = {key: event for key, event in new.items() if key not in joined}
        services = await self._admit_services(opening, now)
        unnamed = frozenset(key for key, event in opening.items() if event.row.service in services.diverted)
        admissions, diverted = self._judge(
            {key: event for key, event in opening.items() if key not in unnamed}, now
        )
        diverted |= unnamed
        registered = Registered(fresh)
        if diverted:
            registered = _overflow(fresh, diverted, unnamed)
            overflows = _first_of_each(registered.fresh[event_id] for event_id in registered.overflowed)
            known = await read_budgets(self._store, self._budget.unknown_in(overflows, now=now))
            spent |= known
            new = {key: event for key, event in new.items() if key not in diverted}
            new |= {key: event for key, event in overflows.items() if key not in known}
        await self._store_all(new, joined, spent, self._unseen(registered.fresh.values()), now=now)
        self._confirm(admissions)
        self._confirm_services(services)
        return registered

    def forget(self) -> None:
        """Ask the store again for everything."""
        self._budget.forget()
        self._places.clear()
        self._services.clear()

    def _unseen(self, candidates: Iterable[Decoded]) -> set[Place]:
        return {place for place in {event.place for event in candidates} if hash(place) not in self._places}

    async def _find_earlier(self, new: Mapping[bytes, Decoded]) -> dict[bytes, Joined]:
        """Find the incidents that the version before opened for what now has another fingerprint.

        Only a first sight asks: what is known by its new fingerprint costs nothing more.
        """
        keys = {key: by for key, event in new.items() if (by := earlier_key(event.row.doc)) is not None}
        known = await read_budgets(self._store, set(keys.values()), below_version=VERSION)
        return {key: Joined(by, known[by].copy()) for key, by in keys.items() if by in known}

    async def _store_all(
        self,
        new: Mapping[bytes, Decoded],
        joined: Mapping[bytes, Joined],
        spent: Mapping[bytes, BudgetSpent],
        places: set[Place],
        *,
        now: datetime,
    ) -> None:
        if new or places:
            await self._store.register(
                [
                    event.new_fingerprint(joined[key].by if key in joined else None)
                    for key, event in new.items()
                ],
                sorted(places),
            )
        opened = {key: joined[key].spent if key in joined else BudgetSpent() for key in new}
        self._budget.learn(opened | dict(spent), now=now)
        if len(self._places) > PLACES_MAX:
            self._places.clear()
        self._places.update(map(hash, places))

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
) -> Registered:
    overflowed = {
        event_id: _unnamed(event) if event.row.fingerprint in unnamed else _diverted(event)
        for event_id, event in fresh.items()
        if event.row.fingerprint in diverted
    }
    return Registered({**fresh, **overflowed}, frozenset(overflowed))


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
