"""Each producer's last number and what is missing, updated in the transaction of the batch."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import bindparam, case, delete, insert, select, text, update

from faultwire_consumer.domain.producer.sequence import (
    Gap,
    GapState,
    Lost,
    SequenceTally,
    bound,
    explain,
    ranges_of,
    reach,
    receive,
)
from faultwire_consumer.store.audit.heard import Heard, Speaker
from faultwire_consumer.store.audit.reports import note_reports
from faultwire_consumer.store.contract.pile import Shape, write_of
from faultwire_consumer.store.contract.row import values_of
from faultwire_consumer.store.contract.store import Transaction
from faultwire_consumer.store.schema.events import producers, sequence_gaps, to_micros

GAPS_MAX: Final = 300
"""Per producer: one that numbers at random must fill neither the table nor the worker's time."""
UNFOLLOWED_MAX: Final = 2**62
"""Where the count of what is not followed ends: older versions followed any number."""
DEAD_LETTERED: Final = "dead_lettered"
"""The reason for a missing number whose event is a dead letter; a replay brings it back."""
_GAP: Final = tuple(sequence_gaps.c[name] for name in Gap.__struct_fields__)
_FILLABLE: Final = (GapState.OPEN.value, GapState.REPORTED.value)
_ADVANCE: Final = (
    update(producers)
    .where(producers.c.producer_id == bindparam("key"))
    .values(
        last_sequence=bindparam("new_last_sequence"),
        gaps=bindparam("new_gaps"),
        unfollowed=case(
            (producers.c.unfollowed < UNFOLLOWED_MAX, producers.c.unfollowed + bindparam("new_unfollowed")),
            else_=producers.c.unfollowed,
        ),
    )
)

# Of a producer that belongs to another service or token nothing is locked, written or returned.
_LOCK: Final = """
ON CONFLICT (producer_id) DO UPDATE SET last_seen_at = excluded.last_seen_at, service = excluded.service,
    token = COALESCE(p.token, excluded.token),
    last_sequence = CASE WHEN p.gaps = 0 AND p.last_sequence = {first} - 1 THEN {last}
        ELSE p.last_sequence END
WHERE p.service IN ('', excluded.service)
    AND (p.token IS NULL OR excluded.token IS NULL OR p.token = excluded.token)
RETURNING producer_id, last_sequence, gaps
"""
HEARD: Final = Shape(
    (
        (
            "speakers",
            """
  SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[],
      $7::timestamptz[]) AS s(id, service, token, first, last, fresh, at)
""",
        ),
        (
            "heard",
            """
  INSERT INTO faultwire.producers AS p
    (producer_id, service, token, host, first_seen_at, last_seen_at, last_sequence, gaps, spool_depth)
  SELECT id, service, NULLIF(token, ''), '', at, at, fresh, 0, 0
  FROM speakers WHERE {after} ORDER BY id
"""  # noqa: S608 - our own words
            + _LOCK.format(
                first="(SELECT s.first FROM speakers s WHERE s.id = p.producer_id)",
                last="(SELECT s.last FROM speakers s WHERE s.id = p.producer_id)",
            ),
        ),
    ),
    parameters=7,
)
_LOCK_SQLITE: Final = text(
    "INSERT INTO producers AS p"  # noqa: S608 - our own words
    " (producer_id, service, token, host, first_seen_at, last_seen_at, last_sequence, gaps, spool_depth)"
    " VALUES (:id, :service, NULLIF(:token, ''), '', :at, :at, :fresh, 0, 0)"
    + _LOCK.format(first=":first", last=":last")
)


class _Stand(Struct, frozen=True):
    """A producer's row, locked."""

    producer_id: str
    last_sequence: int
    gaps: int


class AuditIgnored(StrEnum):
    """The reason why numbers or a report are no part of the audit."""

    OTHER_SERVICE = "other_service"
    """The producer's id belongs to the service, and to the token, that used it first."""
    JUMP = "jump"
    """The number lies too far ahead to be a count."""


class AuditNews(Struct, frozen=True, kw_only=True):
    """The result of a batch for the audit."""

    ignored: Counter[AuditIgnored]
    """Numbers and reports that are no part of it, by reason."""
    lost: Counter[str]
    """Events that producers lost and had not reported before, by reason."""


async def record_heard(tx: Transaction, heard: Mapping[Speaker, Heard], *, now: datetime) -> AuditNews:
    """Bring the producers of a batch up to date: numbers that arrived fill gaps or open them.

    The producers' rows are locked in the order of their ids, so workers take turns and the
    arithmetic is exact. If nothing is missing, it is one statement for any number of events. What
    another service or token says of a producer is ignored, or any could hide its gaps or make up some.

    Returns:
        How many numbers and reports were ignored, and which losses producers reported for the first time.
    """
    ignored: Counter[AuditIgnored] = Counter()
    lost: Counter[str] = Counter()
    for turn in _turns(heard):
        owned = await _record(tx, turn, ignored, lost, now=now)
        for speaker, news in turn.items():
            if speaker.producer_id not in owned:
                ignored[AuditIgnored.OTHER_SERVICE] += len(news.sequences) + (news.reported_at is not None)
    return AuditNews(ignored=+ignored, lost=lost)


def _turns(heard: Mapping[Speaker, Heard]) -> list[dict[Speaker, Heard]]:
    """Part services that speak by one id, which is rare: a statement can have each id once."""
    turns: list[dict[Speaker, Heard]] = []
    spoken: Counter[str] = Counter()
    for speaker, news in heard.items():
        number = spoken[speaker.producer_id]
        spoken[speaker.producer_id] += 1
        if number == len(turns):
            turns.append({})
        turns[number][speaker] = news
    return [dict(sorted(turn.items())) for turn in turns]


async def _record(
    tx: Transaction,
    turn: Mapping[Speaker, Heard],
    ignored: Counter[AuditIgnored],
    lost: Counter[str],
    *,
    now: datetime,
) -> frozenset[str]:
    """Record what each producer's own service says, and return the ids of those producers."""
    heard = {speaker.producer_id: news for speaker, news in turn.items()}
    owned, tallies = await _lock(tx, turn, heard, now)
    changes = {}
    for producer_id, before in tallies.items():
        news = heard[producer_id]
        after = advance(before, news, now=now)
        if after != before:
            changes[producer_id] = (before, after)
        said = (*news.sequences, news.last_sequence)
        ignored[AuditIgnored.JUMP] += sum(number > after.last_sequence for number in said)
    await _write(tx, changes, now)
    lost += await note_reports(tx, {one: news for one, news in heard.items() if one in owned})
    return owned


def advance(tally: SequenceTally, heard: Heard, *, now: datetime) -> SequenceTally:
    """Return a producer's tally after what was heard of it."""
    tally = receive(tally, ranges_of(heard.sequences), now=now)
    tally = reach(tally, heard.last_sequence, now=now)
    for lost in heard.lost:
        # Lost events were numbered, though the report may be older than the last event.
        tally = explain(reach(tally, lost.last, now=now), lost)
    for first, last in ranges_of(heard.dead):
        dead = Lost(DEAD_LETTERED, last - first + 1, first, last)
        tally = explain(reach(tally, last, now=now), dead)
    return bound(tally, GAPS_MAX)


async def _lock(
    tx: Transaction, turn: Mapping[Speaker, Heard], heard: Mapping[str, Heard], now: datetime
) -> tuple[frozenset[str], dict[str, SequenceTally]]:
    """Lock the producers in the order of their ids, and advance those whose numbers simply continue.

    Returns the ids of all that were locked, and the tallies of those that need more than that.
    """
    rows = [_run_of(speaker, news) for speaker, news in turn.items()]
    if tx.pile is not None:
        part = write_of(HEARD, (*rows[0], "at"), [row | {"at": now} for row in rows])
        answer = [_Stand(**each) for each in await tx.pile.send(part)]
    else:
        at = to_micros(now)
        locked = [each for row in rows for each in await tx.execute(_LOCK_SQLITE, row | {"at": at})]
        answer = [_Stand(**values_of(each)) for each in locked]
    unsettled = [row for row in answer if not _is_settled(row, heard[row.producer_id])]
    # A separate statement after the locks: the previous one may have waited, with an older view.
    with_gaps = [row.producer_id for row in unsettled if row.gaps]
    gaps = await load_gaps(tx, with_gaps) if with_gaps else {}
    tallies = {
        row.producer_id: SequenceTally(row.last_sequence, gaps.get(row.producer_id, ())) for row in unsettled
    }
    return frozenset(row.producer_id for row in answer), tallies


def _run_of(speaker: Speaker, heard: Heard) -> dict[str, Any]:
    """Return the numbers if they are one run, else a run that continues nothing."""
    ranges = ranges_of(heard.sequences)
    first, last = ranges[0] if len(ranges) == 1 else (0, 0)
    fresh = last if first == 1 else 0
    return {
        "id": speaker.producer_id,
        "service": speaker.service,
        "token": speaker.token,
        "first": first,
        "last": last,
        "fresh": fresh,
    }


def _is_settled(row: _Stand, heard: Heard) -> bool:
    highest = max(heard.sequences, default=0)
    return (
        not row.gaps
        and not heard.lost
        and not heard.dead
        and row.last_sequence >= max(highest, heard.last_sequence)
    )


async def load_gaps(tx: Transaction, ids: Sequence[str]) -> dict[str, tuple[Gap, ...]]:
    """Load each producer's gaps that may still be filled."""
    table = sequence_gaps.c
    rows = await tx.execute(
        select(table.producer_id, *_GAP)
        .where(table.producer_id.in_(ids), table.state.in_(_FILLABLE))
        .order_by(table.producer_id, table.first)
    )
    found: dict[str, tuple[Gap, ...]] = {}
    for row in rows:
        values = {name: getattr(row, name) for name in Gap.__struct_fields__}
        gap = Gap(**values | {"state": GapState(values["state"])})
        found[row.producer_id] = (*found.get(row.producer_id, ()), gap)
    return found


async def _write(
    tx: Transaction, changes: Mapping[str, tuple[SequenceTally, SequenceTally]], now: datetime
) -> None:
    if not changes:
        return
    gone, new = [], []
    for producer_id, (before, after) in changes.items():
        stored, wanted = set(_keys(before)), set(_keys(after))
        gone += [(producer_id, gap.first) for gap in before.gaps if _key(gap) not in wanted]
        new += [_row(producer_id, gap, now) for gap in after.gaps if _key(gap) not in stored]
    for producer_id, first in gone:
        table = sequence_gaps.c
        await tx.execute(
            delete(sequence_gaps).where(
                table.producer_id == producer_id, table.first == first, table.state.in_(_FILLABLE)
            )
        )
    if new:
        await _replace_filled(tx, new)
        await tx.execute(insert(sequence_gaps), new)
    await tx.execute(
        _ADVANCE,
        [
            {
                "key": producer_id,
                "new_last_sequence": after.last_sequence,
                "new_unfollowed": after.unfollowed,
                "new_gaps": sum(gap.state is not GapState.FILLED for gap in after.gaps),
            }
            for producer_id, (_, after) in changes.items()
        ],
    )


async def _replace_filled(tx: Transaction, new: list[dict[str, Any]]) -> None:
    """Keep one row for each producer with reported gaps that were filled, to have its incident resolved."""
    filled = {row["producer_id"]: row for row in new if row["state"] == GapState.FILLED.value}
    if not filled:
        return
    table = sequence_gaps.c
    await tx.execute(
        delete(sequence_gaps).where(
            table.producer_id.in_(sorted(filled)), table.state == GapState.FILLED.value
        )
    )
    new[:] = [row for row in new if row["state"] != GapState.FILLED.value or row in filled.values()]


def _key(gap: Gap) -> tuple[int, int, GapState, str | None]:
    return gap.first, gap.last, gap.state, gap.event_id


def _keys(tally: SequenceTally) -> list[tuple[int, int, GapState, str | None]]:
    return [_key(gap) for gap in tally.gaps]


def _row(producer_id: str, gap: Gap, now: datetime) -> dict[str, Any]:
    return {
        "producer_id": producer_id,
        "first": gap.first,
        "last": gap.last,
        "opened_at": gap.opened_at,
        "closed_at": None if gap.state is GapState.OPEN else now,
        "state": gap.state.value,
        "reason": gap.reason,
        "event_id": gap.event_id,
    }
