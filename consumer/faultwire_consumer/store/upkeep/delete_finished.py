"""Deletion of old finished rows: notifications, dead letters, gaps, producers, hourly counters, access."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import Column, ColumnElement, Row, Table, and_, delete, exists, or_, select, tuple_

from faultwire_consumer.domain.access.audit import AUDIT_DAYS
from faultwire_consumer.domain.access.session_lifetime import SESSION_IDLE
from faultwire_consumer.domain.access.sign_in_wait import FORGOTTEN_AFTER
from faultwire_consumer.domain.dead_letter import DeadLetterStatus
from faultwire_consumer.domain.producer.sequence import GapState
from faultwire_consumer.domain.sending import NotificationState
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.schema.access import audit_log, invitations, sessions, sign_in_failures
from faultwire_consumer.store.schema.dead_letters import dead_letter_history, dead_letters
from faultwire_consumer.store.schema.events import hourly, producers, sequence_gaps
from faultwire_consumer.store.schema.figures import hourly_totals
from faultwire_consumer.store.schema.notify import (
    digest_lines,
    digests,
    outbox,
    outbox_attempts,
    outbox_stages,
    silence_history,
    silence_hits,
    silences,
)
from faultwire_consumer.store.upkeep.space import PAUSE_SECONDS

_BATCH: Final = 500
_FINISHED_STATES: Final = tuple(
    state.value for state in (NotificationState.SENT, NotificationState.STOPPED, NotificationState.GIVEN_UP)
)

_OF_SILENCES: Final = (silence_hits.c.silence_id, silence_history.c.silence_id)


class _Finished(Struct, frozen=True):
    """Finished rows of a table, with their key, and the columns of other tables that refer to them."""

    table: Table
    key: tuple[Column[Any], ...]
    condition: ColumnElement[bool]
    children: tuple[Column[Any], ...] = ()


async def delete_finished(
    store: Store,
    *,
    finished_before: datetime,
    hours_before: datetime,
    now: datetime,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Mapping[str, int]:
    """Delete rows that were finished before a time, and none that wait, are due or are open.

    Args:
        store: the store to delete from.
        finished_before: the bound for all but the hourly counters.
        hours_before: the bound for the hourly counters.
        now: the time, for what has an end of its own: sessions, links, waits, and the audit's days.
        sleep: waits between two batches.

    Returns:
        The number of deleted rows by table.

    Raises:
        StoreUnavailableError: the database cannot be used now; rows that were deleted stay deleted.
    """
    deleted = {}
    for finished in (*_finished_before(finished_before, hours_before), *_over(now)):
        deleted[finished.table.name] = await _delete(store, finished, sleep)
    return deleted


def finished_tables() -> tuple[str, ...]:
    """Return the names of the tables from which rows are deleted."""
    now = datetime.now(UTC)
    return tuple(finished.table.name for finished in (*_finished_before(now, now), *_over(now)))


def _finished_before(before: datetime, hours_before: datetime) -> list[_Finished]:
    notification, dead_letter, gap, producer = outbox.c, dead_letters.c, sequence_gaps.c, producers.c
    children = (
        outbox_attempts.c.outbox_id,
        outbox_stages.c.outbox_id,
        digest_lines.c.outbox_id,
        digests.c.outbox_id,
    )
    done = and_(notification.state.in_(_FINISHED_STATES), notification.finished_at < before)
    settled = (DeadLetterStatus.REPLAYED.value, DeadLetterStatus.DISCARDED.value)
    filled = and_(gap.state == GapState.FILLED.value, gap.closed_at < before, gap.event_id.is_(None))
    # A producer stays while it has a gap that is open or that an incident reports.
    followed = exists().where(
        gap.producer_id == producer.producer_id,
        or_(gap.state == GapState.OPEN.value, gap.event_id.is_not(None)),
    )
    silent = and_(producer.last_seen_at < before, producer.spool_depth == 0, ~followed)
    return [
        _Finished(
            hourly, (hourly.c.fingerprint, hourly.c.environment, hourly.c.hour), hourly.c.hour < hours_before
        ),
        _Finished(
            hourly_totals,
            (hourly_totals.c.hour, hourly_totals.c.service, hourly_totals.c.severity),
            hourly_totals.c.hour < hours_before,
        ),
        _Finished(outbox, (notification.id,), done, children),
        _Finished(
            dead_letters,
            (dead_letter.id,),
            and_(dead_letter.status.in_(settled), dead_letter.last_seen_at < before),
            (dead_letter_history.c.dead_letter_id,),
        ),
        _Finished(sequence_gaps, (gap.id,), filled),
        _Finished(producers, (producer.producer_id,), silent, (gap.producer_id,)),
    ]


def _over(now: datetime) -> list[_Finished]:
    """Name what access has no use for any more, and silences that have long been over."""
    session, ticket, failure, entry = sessions.c, invitations.c, sign_in_failures.c, audit_log.c
    is_idle = session.seen_at <= now - SESSION_IDLE
    return [
        _Finished(sessions, (session.hash,), or_(session.expires_at <= now, is_idle)),
        _Finished(invitations, (ticket.hash,), ticket.expires_at <= now),
        _Finished(sign_in_failures, (failure.subject,), failure.last_at <= now - FORGOTTEN_AFTER),
        _Finished(audit_log, (entry.id,), entry.at < now - timedelta(days=AUDIT_DAYS)),
        _Finished(silences, (silences.c.id,), _is_long_over(now), _OF_SILENCES),
    ]


def _is_long_over(now: datetime) -> ColumnElement[bool]:
    """A silence is kept as long after its end as the audit is."""
    before = now - timedelta(days=AUDIT_DAYS)
    return or_(silences.c.ends_at < before, silences.c.ended_at < before)


async def _delete(store: Store, finished: _Finished, sleep: Callable[[float], Awaitable[None]]) -> int:
    total = 0
    while rows := await store.read(select(*finished.key).where(finished.condition).limit(_BATCH)):
        async with store.write() as tx:
            # Checked again under a lock: an operator, or a delivery, may have been quicker.
            held = await tx.execute(
                select(*finished.key)
                .where(_among(finished, rows), finished.condition)
                .with_for_update(of=finished.table)
            )
            for child in finished.children:
                await tx.execute(delete(child.table).where(child.in_([row[0] for row in held])))
            await tx.execute(delete(finished.table).where(_among(finished, held)))
        if not held:
            return total
        total += len(held)
        await sleep(PAUSE_SECONDS)
    return total


def _among(finished: _Finished, rows: Sequence[Row[Any]]) -> ColumnElement[bool]:
    if len(finished.key) == 1:
        return finished.key[0].in_([row[0] for row in rows])
    return tuple_(*finished.key).in_([tuple(row) for row in rows])
