"""Reports of producers on themselves, and of the gateway on SDKs, kept with each producer."""

from collections import Counter
from collections.abc import Mapping
from typing import Final

import msgspec
from sqlalchemy import select, update

from faultwire_consumer.store.audit.heard import OTHERS, Heard
from faultwire_consumer.store.contract.store import Transaction
from faultwire_consumer.store.schema.events import producers
from faultwire_shared.producer_report import SEQUENCE_MAX

NAMES_MAX: Final = 100
"""Reasons, and kinds, that are kept of one producer by name, however many its reports make up."""


async def note_reports(tx: Transaction, heard: Mapping[str, Heard]) -> Counter[str]:
    """Keep what each producer's report says; the producers' rows are locked.

    Returns:
        Events lost since the reports before, by reason.
    """
    news: Counter[str] = Counter()
    for producer_id, report in sorted(heard.items()):
        if report.reported_at is None:
            continue
        this = producers.c.producer_id == producer_id
        (row,) = await tx.execute(
            select(producers.c.lost, producers.c.dropped, producers.c.unnumbered).where(this)
        )
        lost = _highest(row.lost, report.lost_counts)
        news += Counter(lost) - Counter(_counts_in(row.lost))
        await tx.execute(
            update(producers)
            .where(this)
            .values(
                host=report.host or "",
                started_at=report.started_at,
                last_report_at=report.reported_at,
                spool_depth=report.spool_depth,
                sdk=report.sdk,
                via=report.via,
                unnumbered=max(row.unnumbered, report.unnumbered),
                lost=_as_json(lost),
                dropped=_as_json(_highest(row.dropped, report.dropped)),
            )
        )
    return news


def _counts_in(known: str) -> dict[str, int]:
    return msgspec.json.decode(known, type=dict[str, int])


def _as_json(counts: Mapping[str, int]) -> str:
    return msgspec.json.encode(counts).decode()


def _highest(known: str, said: Counter[str]) -> dict[str, int]:
    """Return the higher counts: reports may be delivered twice, and in any order."""
    before = Counter(_counts_in(known))
    new = [name for name in said if name not in before]
    room = max(0, NAMES_MAX - len(before))
    kept = {name: max(before[name], said[name]) for name in (*before, *new[:room])}
    if rest := sum(said[name] for name in new[room:]):
        kept[OTHERS] = max(kept.get(OTHERS, 0), rest)
    return {name: min(count, SEQUENCE_MAX) for name, count in sorted(kept.items())}
