"""First sights of a service's releases, for what is judged by their order."""

from collections.abc import Collection
from typing import Any, Final

from sqlalchemy import Select, func, select

from faultwire_consumer.domain.release_order import FirstSights
from faultwire_consumer.store.contract.prepared import prepared
from faultwire_consumer.store.contract.store import StoreReader, Transaction
from faultwire_consumer.store.schema.events import fingerprints, incidents, sightings

NEWEST: Final = 200
"""Releases among which the newest of a service is looked for: those that were first seen last."""


async def read_first_sights(tx: Transaction, service: str, releases: Collection[str]) -> FirstSights:
    """Return when these releases of a service were first seen, those that were."""
    if not releases:
        return {}
    named = sightings.c.release.in_(sorted(releases))
    rows = await tx.execute(_sights(service).where(named))
    return {row.release: row.at for row in rows}


async def read_newest_sights(store: StoreReader, service: str) -> FirstSights:
    """Return when the last releases of a service were first seen."""
    return {row.release: row.at for row in await store.read(_select_newest(service))}


@prepared
def _select_newest(service: str) -> Select[Any]:
    return _sights(service).where(sightings.c.release != "").order_by(_AT.desc()).limit(NEWEST)


_AT: Final = func.min(sightings.c.created_at, type_=sightings.c.created_at.type)


def _sights(service: str) -> Select[Any]:
    """Select by the service's incidents: that is an index, and so is each step from there."""
    return (
        select(sightings.c.release, _AT.label("at"))
        .join(fingerprints, fingerprints.c.fingerprint == sightings.c.fingerprint)
        .join(incidents, incidents.c.id == fingerprints.c.incident_id)
        .where(incidents.c.service == service)
        .group_by(sightings.c.release)
    )
