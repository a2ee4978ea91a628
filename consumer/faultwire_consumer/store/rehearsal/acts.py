"""Operators' acts of a time, from the histories of incidents and of silences."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import select

from faultwire_consumer.domain.incident import TransitionReason
from faultwire_consumer.domain.lifecycle.retelling import HistoryPassage
from faultwire_consumer.store.contract.row import values_of
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.rehearsal.events import Span
from faultwire_consumer.store.schema.events import history
from faultwire_consumer.store.schema.notify import silence_history, silences
from faultwire_consumer.store.silences.record import SilenceAction
from faultwire_consumer.store.silences.stored import COLUMNS, StoredSilence, stored_from

ACTS_MAX: Final = 50_000
SILENCES_MAX: Final = 5_000
_PAGE: Final = 1_000
_UNORDERED: Final = timedelta(minutes=5)
"""Ids of a history follow its times but for transactions that ran side by side, and workers' clocks."""
_TOLD: Final = (
    TransitionReason.ACKNOWLEDGED,
    TransitionReason.RESOLVED,
    TransitionReason.AUTO_RESOLVED,
    TransitionReason.REOPENED,
    TransitionReason.MUTED,
    TransitionReason.UNMUTED,
    TransitionReason.ASSIGNED,
    TransitionReason.UNASSIGNED,
    TransitionReason.MERGED_INTO,
    TransitionReason.UNMERGED,
)
PASSAGE: Final = tuple(
    history.c[name] for name in ("incident_id", "at", "actor", "reason", "after", "detail", "note")
)


class Acts(Struct, frozen=True):
    """The acts of a span in the order of their times, and whether there were more than are read."""

    passages: Sequence[HistoryPassage]
    is_cut: bool


class SilenceStep(Struct, frozen=True):
    """One thing that was done to a silence."""

    at: datetime
    action: SilenceAction
    silence: StoredSilence
    actor: str = ""


class Silences(Struct, frozen=True):
    """All that was done to silences by the end of a span, and how many a later release wrote."""

    steps: Sequence[SilenceStep]
    unreadable: int


def passage_from(row: Any) -> HistoryPassage:
    """Return a row of the history."""
    values = values_of(row)
    return HistoryPassage(**values | {"detail": values["detail"] or "", "note": values["note"] or ""})


async def read_acts(store: Store, span: Span) -> Acts:
    """Read what operators, and quiet days, did to incidents in a span.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    found: list[HistoryPassage] = []
    pages = select(history.c.id, *PASSAGE).order_by(history.c.id.desc()).limit(_PAGE)
    last_id: int | None = None
    while len(found) < ACTS_MAX:
        rows = await store.read(pages if last_id is None else pages.where(history.c.id < last_id))
        for row in rows:
            if row.reason in _TOLD and span.start <= row.at < span.end:
                values = values_of(row)
                del values["id"]
                values |= {"detail": row.detail or "", "note": row.note or ""}
                found.append(HistoryPassage(**values))
        if len(rows) < _PAGE or max(row.at for row in rows) < span.start - _UNORDERED:
            break
        last_id = rows[-1].id
    found.reverse()
    is_cut = len(found) > ACTS_MAX
    return Acts(sorted(found[-ACTS_MAX:], key=lambda one: one.at), is_cut)


async def read_silences(store: Store, span: Span) -> Silences:
    """Read the silences that may hide something in a span, and what was done to them by its end.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    rows = await store.read(
        select(*COLUMNS)
        .where(silences.c.ends_at > span.start, silences.c.created_at < span.end)
        .order_by(silences.c.id.desc())
        .limit(SILENCES_MAX)
    )
    known: dict[int, StoredSilence] = {}
    for row in rows:
        try:
            known[row.id] = stored_from(row)
        except msgspec.MsgspecError:
            continue
    steps = [SilenceStep(one.created_at, SilenceAction.CREATED, one, one.author) for one in known.values()]
    steps += await _ends(store, known, span)
    steps.sort(key=lambda step: (step.at, step.silence.id, step.action is not SilenceAction.CREATED))
    return Silences(steps, len(rows) - len(known))


async def _ends(store: Store, known: dict[int, StoredSilence], span: Span) -> list[SilenceStep]:
    wanted = (SilenceAction.ENDED.value, SilenceAction.RESUMED.value)
    ids, steps = sorted(known), list[SilenceStep]()
    table = silence_history.c
    for start in range(0, len(ids), _PAGE):
        rows = await store.read(
            select(table.silence_id, table.at, table.action, table.actor)
            .where(table.silence_id.in_(ids[start : start + _PAGE]), table.action.in_(wanted))
            .where(table.at < span.end)
            .order_by(table.id)
        )
        steps += [
            SilenceStep(row.at, SilenceAction(row.action), known[row.silence_id], row.actor) for row in rows
        ]
    return steps


async def read_passages(
    store: Store, ids: Collection[int], *, before: datetime
) -> dict[int, list[HistoryPassage]]:
    """Read the histories of incidents up to a moment, without it."""
    rows = await store.read(
        select(*PASSAGE)
        .where(history.c.incident_id.in_(sorted(ids)), history.c.at < before)
        .order_by(history.c.id)
    )
    found: dict[int, list[HistoryPassage]] = {}
    for row in rows:
        found.setdefault(row.incident_id, []).append(passage_from(row))
    return found
