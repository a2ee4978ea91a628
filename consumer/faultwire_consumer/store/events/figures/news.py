"""News of releases: which incidents began in one, and which came back in it."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct, field
from sqlalchemy import Row, select

from faultwire_consumer.domain.figures.value_count import ReleaseEnds, ReleaseKey
from faultwire_consumer.store.contract.store import Transaction
from faultwire_consumer.store.schema.events import fingerprints, incidents

_GROUPS: Final = 100


class ReleaseNews(Struct, frozen=True):
    """Incidents that began or came back, by the release of the event that says so."""

    opened: dict[ReleaseKey, int] = field(default_factory=dict)
    regressed: dict[ReleaseKey, int] = field(default_factory=dict)
    episodes: dict[int, int] = field(default_factory=dict)
    """Incidents whose episode is not known yet, and which it is."""


async def read_news(
    tx: Transaction, ends: Mapping[bytes, ReleaseEnds], fresh: Collection[bytes]
) -> ReleaseNews:
    """Find what began and what came back.

    Args:
        tx: the transaction that adds to the figures.
        ends: of each fingerprint the releases with which its events begin and end.
        fresh: the fingerprints that had no figures before.
    """
    news, keys = ReleaseNews(), sorted(ends)
    for start in range(0, len(keys), _GROUPS):
        table = incidents.c
        rows = await tx.execute(
            select(
                fingerprints.c.fingerprint,
                fingerprints.c.counted_since,
                table.id,
                table.episode,
                table.counted_episode,
            )
            .join_from(fingerprints, incidents, table.id == fingerprints.c.incident_id)
            .where(fingerprints.c.fingerprint.in_(keys[start : start + _GROUPS]))
        )
        by_incident: dict[int, list[Row[Any]]] = {}
        for row in rows:
            by_incident.setdefault(row.id, []).append(row)
        for its_rows in by_incident.values():
            _judge(news, its_rows, ends, fresh)
    return news


def _judge(
    news: ReleaseNews, rows: Sequence[Row[Any]], ends: Mapping[bytes, ReleaseEnds], fresh: Collection[bytes]
) -> None:
    """Add what one incident says; its first row will do for what all have in common."""
    incident = rows[0]
    if incident.counted_episode == incident.episode or incident.id in news.episodes:
        return
    news.episodes[incident.id] = incident.episode
    mine = [ends[row.fingerprint] for row in rows]
    if incident.counted_episode is not None:
        last = max(mine, key=lambda end: end.last_at)
        _add(news.regressed, last.service, last.last, incident.episode - incident.counted_episode)
    elif all(row.fingerprint in fresh and row.counted_since is None for row in rows):
        first = min(mine, key=lambda end: end.first_at)
        _add(news.opened, first.service, first.first, 1)


def _add(counts: dict[ReleaseKey, int], service: str, release: str, count: int) -> None:
    if release and count > 0:
        key = ReleaseKey(service, release)
        counts[key] = counts.get(key, 0) + count
