"""The environments of a digest's incidents, read once for all of its lines."""

from collections.abc import Collection, Sequence
from itertools import chain

from msgspec.structs import replace
from sqlalchemy import func, select

from faultwire_consumer.domain.digest.facts import ENVIRONMENTS_MAX, DigestLine, DigestSection
from faultwire_consumer.store.outbox.digest_rows import Ask
from faultwire_consumer.store.schema.events import fingerprints, sightings


async def with_environments(ask: Ask, sections: Sequence[DigestSection]) -> tuple[DigestSection, ...]:
    """Return the sections, each line of which says where its incident was seen."""
    lines = chain.from_iterable(section.lines for section in sections)
    places = await _read_environments(ask, {line.incident_id for line in lines})

    def placed(line: DigestLine) -> DigestLine:
        return replace(line, environments=tuple(places.get(line.incident_id, ())))

    return tuple(replace(section, lines=tuple(map(placed, section.lines))) for section in sections)


async def _read_environments(ask: Ask, ids: Collection[int]) -> dict[int, list[str]]:
    if not ids:
        return {}
    seen = (
        select(fingerprints.c.incident_id, sightings.c.environment)
        .join(sightings, sightings.c.fingerprint == fingerprints.c.fingerprint)
        .where(fingerprints.c.incident_id.in_(sorted(ids)))
        .distinct()
        .subquery("seen")
    )
    place = func.row_number().over(partition_by=seen.c.incident_id, order_by=seen.c.environment)
    ranked = select(seen, place.label("place")).subquery("ranked")
    rows = await ask(
        select(ranked.c.incident_id, ranked.c.environment)
        .where(ranked.c.place <= ENVIRONMENTS_MAX + 1)
        .order_by(ranked.c.incident_id, ranked.c.place)
    )
    environments: dict[int, list[str]] = {}
    for row in rows:
        environments.setdefault(row.incident_id, []).append(row.environment)
    return environments
